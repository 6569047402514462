/** What is decided where caches show an older world than the API server has, and how many requests that costs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideSurely } from '../../../operator/controller/certainty.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import {
  after,
  aPod,
  aRuntime,
  endedStatus,
  interrupted,
  observe,
  pass,
  runningFrom,
  runningStatus,
  start,
  succeeded,
  trained,
  validated,
} from '../builders.ts';
import { inPreflight, inTraining, orphan, ready, summary, trainJob, withSpec } from '../decide/worlds.ts';
import { worldClient } from '../world-client.ts';

async function decided(cached: Observed, actual: Observed, since = start) {
  const { client, asked } = worldClient(actual);
  const found = await decideSurely(cached, decide, client, new AbortController().signal, since);
  return { asked, ...(found && { ...summary(found.plan), ends: found.plan.status.completionTime }) };
}

/** Seconds between the start of the world of these tests and now: `after` counts from the start. */
const sinceStart = () => (Date.now() - Date.parse('2026-01-01T00:00:00Z')) / 1000;
const everything = ['list Job', 'list Pod', 'get FineTuneJob', 'get FineTuneRuntime'];
const pending = { pendingDeadlineSeconds: 60 };
/** Long past the pending deadline. */
const waiting = pass(withSpec(ready, pending)).next;
const running = (world: Observed, seconds = sinceStart() - 10): Observed => ({
  ...world,
  pods: [aPod(trainJob, 'one', runningFrom(seconds))],
});

const cases: Record<string, { cached: Observed; actual?: Observed; want: object }> = {
  'a run that waits for too long ends': {
    cached: waiting,
    want: { reason: 'PendingDeadlineExceeded', does: ['patch train'], asked: everything },
  },
  'not if its trainer runs by now': {
    cached: waiting,
    actual: running(waiting),
    want: { phase: 'Training', does: [], ends: undefined, asked: everything },
  },
  'nor if its queue has let it in': (() => {
    const { next } = trained({}, { queueName: 'gpus' });
    const cached = pass(withSpec(next, pending)).next;
    const batchJobs = cached.batchJobs.map((job) => ({ ...job, spec: { ...job.spec!, suspend: false } }));
    return {
      cached,
      actual: running({ ...cached, batchJobs }),
      want: { phase: 'Training', does: [], ends: undefined, asked: everything },
    };
  })(),
  'nor if the user has given it more time': {
    cached: waiting,
    actual: withSpec(waiting, { pendingDeadlineSeconds: 2 ** 31 - 1 }, 3),
    want: { phase: 'Pending', does: [], ends: undefined },
  },
  'a cancelled run whose trainer is not known yet is stopped, and ends when it has': {
    cached: withSpec(ready, { cancel: true }),
    actual: running(withSpec(ready, { cancel: true })),
    want: { phase: 'Stopping', does: ['patch train'], ends: undefined, asked: everything },
  },
  'a cancelled run whose trainer has succeeded meanwhile has succeeded': {
    cached: withSpec(ready, { cancel: true }),
    actual: withSpec(inTraining(endedStatus(0, succeeded('one'))), { cancel: true }),
    want: { phase: 'Succeeded', does: [] },
  },
  'a cancelled run of which no Job is known is not over while one is at work': {
    cached: { ...withSpec(ready, { cancel: true }), batchJobs: [] },
    actual: running(withSpec(ready, { cancel: true })),
    want: { phase: 'Stopping', does: ['patch train'], ends: undefined },
  },
  'a run that is to be held, and of which no Job is known, is held while one is at work': {
    cached: { ...withSpec(ready, { suspend: true }), batchJobs: [] },
    actual: running(withSpec(ready, { suspend: true })),
    want: { phase: 'Suspended', does: ['patch train'], asked: everything },
  },
  'a run that is held before its first Job is made costs no request': {
    cached: withSpec(observe(), { suspend: true }),
    want: { phase: 'Suspended', does: [], asked: [] },
  },
  'a trainer that was interrupted long ago has not reached its deadline': {
    cached: withSpec(inTraining(runningStatus), { activeDeadlineSeconds: 200 }),
    actual: withSpec(inTraining(endedStatus(143, interrupted('one'))), { activeDeadlineSeconds: 200 }),
    want: { phase: 'Training', reason: 'TrainingInterrupted', does: [], ends: undefined },
  },
  'a run does not fail for a runtime that was corrected': (() => {
    const cached = observe({ runtime: aRuntime({ workVolume: '1m' }) });
    return { cached, actual: observe(), want: { phase: 'Preflight', does: ['create preflight'] } };
  })(),
  'a Job that somebody holds by now is not marked as held for the user': {
    cached: withSpec(ready, { suspend: true }),
    actual: withSpec(
      {
        ...ready,
        batchJobs: ready.batchJobs.map((job) => ({ ...job, spec: { ...job.spec!, suspend: true } })),
      },
      { suspend: true },
    ),
    want: { phase: 'Suspended', does: [] },
  },
  'a Job of another owner is left out': (() => {
    const cached = { ...withSpec(ready, { cancel: true }), batchJobs: [] };
    const ownerReferences = [{ ...trainJob.metadata!.ownerReferences![0]!, uid: 'other' }];
    const stranger = { ...trainJob, metadata: { ...trainJob.metadata, ownerReferences } };
    return {
      cached,
      actual: { ...cached, batchJobs: [stranger] },
      want: { phase: 'Cancelled', does: [], asked: everything },
    };
  })(),
  'a success costs no request': {
    cached: inTraining(endedStatus(0, succeeded('one'))),
    want: { phase: 'Succeeded', asked: [] },
  },
};

for (const [name, { cached, actual = cached, want }] of Object.entries(cases)) {
  test(name, async () => {
    const got = await decided(cached, actual);
    assert.deepEqual({ ...got, ...want }, got);
  });
}

test('a job that is gone, or was made anew under its name, is left alone', async () => {
  const cached = withSpec(ready, { cancel: true });
  const other = { ...cached, job: { ...cached.job, metadata: { ...cached.job.metadata, uid: 'other' } } };
  assert.deepEqual(await decided(cached, other), { asked: everything.slice(0, 3) });
});

const checked = inPreflight(endedStatus(0, validated('check')), { creationTimestamp: after(10) });

test('the first train Job costs no request where this process led before its preflight had a pod', async () => {
  const { does, asked } = await decided(checked, checked, after(9));
  assert.deepEqual([does, asked], [['create train'], []]);
});

test('else another process may have made it, and somebody removed it: a trainer that is left is found', async () => {
  const left = { ...checked, pods: [...checked.pods, orphan(runningStatus)] };
  const { phase, does, asked } = await decided(checked, left, after(11));
  assert.deepEqual([phase, does, asked], ['Pending', [], everything]);
});
