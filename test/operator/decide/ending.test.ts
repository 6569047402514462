/** Whatever stands in a termination message, and whatever a pod did not say: the status is right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import { failures } from '../../../crds/failures.ts';
import { fineTuneJobStatus } from '../../../crds/status.schema.ts';
import { endingOf } from '../../../operator/decide/ending.ts';
import {
  aBatchJob,
  aJob,
  aPod,
  digest,
  endedStatus,
  failed,
  interrupted,
  jobUid,
  pass,
  runningStatus,
  succeeded,
  trained,
  validated,
  waitingStatus,
} from '../builders.ts';

const identity = { jobUid, runId: '1', stage: 'train' } as const;
const podOf = (status: V1Pod['status'], metadata: object = {}) =>
  aPod(aBatchJob(aJob(), 'train'), 'one', status, metadata);
const endingWith = (exitCode: number, message: unknown, reason?: string) =>
  endingOf(podOf(endedStatus(exitCode, message, reason)), identity);

const huge = JSON.stringify({ ...failed('one', 'DataError', 'x'), hint: 'y'.repeat(5000) });
const cases: Record<
  string,
  { given: ReturnType<typeof endingWith>; want: [string | undefined, string | undefined] }
> = {
  'the words of the trainer': {
    given: endingWith(11, failed('one', 'DataError', 'line 7')),
    want: ['DataError', 'never'],
  },
  'no message': { given: endingWith(13, ''), want: ['SourceNotFound', 'never'] },
  'a message that is a log': { given: endingWith(14, 'Error: denied'), want: ['SourceForbidden', 'never'] },
  'truncated JSON': {
    given: endingWith(12, JSON.stringify(failed('one', 'DataError', 'x')).slice(0, 90)),
    want: ['ModelError', 'never'],
  },
  'the end of a JSON text': {
    given: endingWith(16, JSON.stringify(failed('one', 'DataError', 'x')).slice(40)),
    want: ['NonFiniteLoss', 'never'],
  },
  'a message above 4 KB': { given: endingWith(17, huge), want: ['OutputError', 'never'] },
  'JSON of something else': { given: endingWith(30, { ok: true }), want: ['SourceUnavailable', 'limited'] },
  'JSON null': { given: endingWith(31, 'null'), want: ['Internal', 'limited'] },
  'a category that no trainer can know': {
    given: endingWith(11, failed('one', 'NodeLost', 'x')),
    want: ['DataError', 'never'],
  },
  'an exit code that nobody documented': { given: endingWith(77, ''), want: ['Internal', 'limited'] },
  'success with an exit code': { given: endingWith(11, succeeded('one')), want: ['DataError', 'never'] },
  'success of another pod': { given: endingWith(0, succeeded('two')), want: ['Internal', 'never'] },
  'success of another run': {
    given: endingWith(0, { ...succeeded('one'), runId: '2' }),
    want: ['Internal', 'never'],
  },
  'success of another job': {
    given: endingWith(0, { ...succeeded('one'), jobUid: 'x' }),
    want: ['Internal', 'never'],
  },
  'the report of preflight from a trainer': {
    given: endingWith(0, validated('one')),
    want: ['Internal', 'never'],
  },
  'exit code 0 and no message': { given: endingWith(0, ''), want: ['Internal', 'never'] },
  'exit code 0 and words of failure': {
    given: endingWith(0, failed('one', 'DataError', 'x')),
    want: ['Internal', 'never'],
  },
  'a digest that status cannot hold': {
    given: endingWith(0, { ...succeeded('one'), model: { ...succeeded('one').model, digest: 'md5:1' } }),
    want: ['Internal', 'never'],
  },
  'a number that is not finite': {
    given: endingWith(0, JSON.stringify(succeeded('one')).replace('61.4', '1e999')),
    want: ['Internal', 'never'],
  },
  'out of memory, whatever the message says': {
    given: endingWith(137, succeeded('one'), 'OOMKilled'),
    want: ['HostOutOfMemory', 'smaller'],
  },
  'out of memory in the words of the trainer': {
    given: endingWith(137, failed('one', 'HostOutOfMemory', 'heap is full')),
    want: ['HostOutOfMemory', 'smaller'],
  },
  'killed without a reason': { given: endingWith(137, ''), want: ['Internal', 'limited'] },
  'stopped, with a checkpoint': { given: endingWith(143, interrupted('one')), want: ['Interrupted', 'free'] },
  'stopped, without a word': { given: endingWith(143, ''), want: ['Interrupted', 'free'] },
  'a node that lost track of the container': {
    given: endingWith(137, '', 'ContainerStatusUnknown'),
    want: ['NodeLost', 'free'],
  },
  'a command that does not exist': {
    given: endingWith(128, 'exec: "trainer": not found', 'StartError'),
    want: ['Internal', 'limited'],
  },
  'deleted before its container started': {
    given: endingOf(podOf({ phase: 'Failed' }, { deletionTimestamp: new Date(0) }), identity),
    want: ['Interrupted', 'free'],
  },
  'refused by the kubelet': {
    given: endingOf(podOf({ phase: 'Failed', reason: 'OutOfcpu' }), identity),
    want: ['Unschedulable', 'limited'],
  },
  evicted: {
    given: endingOf(
      podOf({ phase: 'Failed', reason: 'Evicted', message: 'node is low on memory' }),
      identity,
    ),
    want: ['NodeLost', 'free'],
  },
  success: { given: endingWith(0, succeeded('one')), want: [undefined, undefined] },
};

for (const [name, { given, want }] of Object.entries(cases)) {
  test(`a pod ended: ${name}`, () => {
    assert.deepEqual([given?.fault?.category, given?.fault?.retry], want);
    if (given?.fault) {
      assert.notEqual(given.fault.message, '');
      assert.notEqual(given.fault.hint, '');
    }
  });
}

test('a pod that may still do something has not ended', () => {
  assert.equal(endingOf(podOf(runningStatus), identity), undefined);
  assert.equal(endingOf(podOf(waitingStatus('ContainerCreating')), identity), undefined);
  assert.equal(endingOf(podOf({}), identity), undefined);
});

test('each exit code of the contract gives its own category', () => {
  for (const [category, rule] of Object.entries(failures)) {
    if (!('exitCode' in rule) || rule.exitCode === 137) continue;
    assert.equal(endingWith(rule.exitCode, '')?.fault?.category, category);
  }
});

test('the log of a trainer that died comes into status without its control characters', () => {
  const log = '\u001b[31mError\u001b[0m: b\u0000oom\u202e\r\n\tat main (\u009b2Jworker.ts)\ud800';
  const { next, trainJob } = trained();
  const { status } = pass({ ...next, pods: [aPod(trainJob, 'one', endedStatus(31, log))] }).plan;
  assert.equal(status.failure?.logTail, 'Error: boom\n at main (2Jworker.ts)');
  assert.equal(status.failure?.attempt, 1);
  assert.equal(status.failure?.node, 'node-1');
  assert.equal(status.failure?.exitCode, 31);
});

test('words of the trainer are bounded and on one line', () => {
  const { next, trainJob } = trained();
  const message = `line 1\nline 2 \u001b]0;title\u0007${'é'.repeat(1500)}`;
  const { status } = pass({
    ...next,
    pods: [aPod(trainJob, 'one', endedStatus(11, failed('one', 'DataError', message)))],
  }).plan;
  const said = status.failure?.message ?? '';
  assert.ok(said.startsWith('line 1 line 2 éé') && said.endsWith('…'), said.slice(0, 40));
  assert.ok(Buffer.byteLength(said) <= 1200);
  assert.equal(status.failure?.step, 7);
});

test('checkpoints with impossible times are left out, and the rest is what the API server takes', () => {
  const bad = { step: 30, time: 'yesterday', uri: 's3://x', digest };
  const far = { step: 31, time: '+012345-01-01T00:00:00Z', uri: 's3://x', digest };
  const said = succeeded('one');
  const { next, trainJob } = trained();
  const result = { ...said, checkpoints: [bad, far, ...said.checkpoints] };
  const { status } = pass({ ...next, pods: [aPod(trainJob, 'one', endedStatus(0, result))] }).plan;
  assert.deepEqual(
    status.checkpoints?.map(({ step }) => step),
    [20],
  );
  assert.ok(fineTuneJobStatus.safeParse(status).success);
});
