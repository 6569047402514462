/** A trainer that runs out of memory is started again with smaller micro-batches, and a step keeps its rows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { Observed } from '../../../operator/decide/plan.ts';
import { after, aPod, endedStatus, failed, jobCondition, pass, trained } from '../builders.ts';
import { inPreflight, summary, withSpec } from './worlds.ts';

const oom = endedStatus(137, '', 'OOMKilled');
const gpuOom = (uid: string) => endedStatus(18, failed(uid, 'AcceleratorOutOfMemory', 'out of memory'));
const trainJobOf = ({ batchJobs }: Observed): V1Job | undefined =>
  batchJobs.find(({ metadata }) => metadata?.name?.endsWith('-train'));

function world(training: object, retry: object = {}): Observed {
  return trained({ training, retry }).next;
}

/** The pod of the present train Job ends like this. */
function ends(given: Observed, uid: string, status: V1Pod['status']): Observed {
  const batchJobs = given.batchJobs.map((job) =>
    job === trainJobOf(given) ? { ...job, metadata: { ...job.metadata, uid: `job-of-${uid}` } } : job,
  );
  const next = { ...given, batchJobs };
  return { ...next, pods: [aPod(trainJobOf(next)!, uid, status, { creationTimestamp: after(1) })] };
}

/** Out of memory: remembered, deleted, made again. */
function runsOut(given: Observed, uid: string, status: V1Pod['status'] = oom): Observed {
  const remembered = pass(ends(given, uid, status), after(200)).next;
  const deleted = pass(remembered, after(200)).next;
  return pass({ ...deleted, pods: [] }, after(201)).next;
}

function sizes(given: Observed) {
  const text = trainJobOf(given)?.spec?.template.metadata?.annotations?.['finetune.dev/run-config'] ?? '{}';
  const { batchSize, gradientAccumulationSteps } = JSON.parse(text).training;
  return [batchSize, gradientAccumulationSteps];
}

const sequences: Record<string, { training: object; want: number[][] }> = {
  'a batch is halved': {
    training: { batchSize: 16 },
    want: [
      [8, 2],
      [4, 4],
      [2, 8],
    ],
  },
  'batches that are accumulated already': {
    training: { batchSize: 8, gradientAccumulationSteps: 3 },
    want: [
      [4, 6],
      [2, 12],
      [1, 24],
    ],
  },
  'a batch that cannot be halved takes the next divisor': {
    training: { batchSize: 15 },
    want: [
      [5, 3],
      [1, 15],
    ],
  },
  'a prime number of rows': { training: { batchSize: 7 }, want: [[1, 7]] },
};
for (const [name, { training, want }] of Object.entries(sequences)) {
  test(`${name}: ${want.map(([size, steps]) => `${steps} x ${size}`).join(', ')}, then the run fails`, () => {
    let now = world(training);
    for (const [i, size] of want.entries()) {
      now = runsOut(now, `pod-${i}`);
      assert.deepEqual(sizes(now), size);
      assert.equal(now.job.status?.microBatch?.retries, i + 1);
    }
    const { plan } = pass(ends(now, 'last', oom), after(400));
    assert.deepEqual([plan.status.phase, plan.status.failure?.category], ['Failed', 'HostOutOfMemory']);
    assert.deepEqual(summary(plan).does, ['patch train']);
  });
}

test('one row cannot be made smaller', () => {
  assert.equal(pass(ends(world({ batchSize: 1 }), 'one', oom)).plan.status.phase, 'Failed');
});

test('the owner can forbid it', () => {
  const { plan } = pass(ends(world({ batchSize: 16 }, { outOfMemoryLimit: 0 }), 'one', oom));
  assert.deepEqual([plan.status.phase, plan.status.microBatch], ['Failed', undefined]);
});

test('first it is remembered, then the Job is deleted: a lost pass makes the batch smaller once', () => {
  const out = ends(world({ batchSize: 16 }), 'one', gpuOom('one'));
  const first = pass(out);
  assert.deepEqual(summary(first.plan), {
    phase: 'Training',
    reason: 'TrainingRetrying',
    category: 'AcceleratorOutOfMemory',
    does: [],
    says: ['Warning TrainingRetrying'],
  });
  const second = pass(first.next);
  assert.deepEqual(summary(second.plan), { ...summary(first.plan), does: ['delete train'], says: [] });
  // The write of the first pass was lost with the operator.
  assert.deepEqual(pass(out).plan.status.microBatch, first.plan.status.microBatch);
  const leaving = {
    ...first.next,
    batchJobs: first.next.batchJobs.map((job) => ({
      ...job,
      metadata: { ...job.metadata, deletionTimestamp: after(9) },
    })),
  };
  const { plan } = pass(leaving);
  assert.deepEqual([plan.actions, plan.status.microBatch?.batchSize], [[], 8]);
});

test('the Job tells it when its pod is gone', () => {
  const given = ends(world({ batchSize: 16 }), 'one', {});
  const message = 'Container trainer for pod a/b failed with exit code 18 matching FailJob rule at index 0';
  const status = jobCondition('Failed', 'PodFailurePolicy', message);
  const batchJobs = given.batchJobs.map((job) => (job === trainJobOf(given) ? { ...job, status } : job));
  assert.deepEqual(pass({ ...given, pods: [], batchJobs }).plan.status.microBatch, {
    batchSize: 8,
    gradientAccumulationSteps: 2,
    retries: 1,
    jobUID: 'job-of-one',
  });
});

test('a run that is cancelled meanwhile does not start again', () => {
  const out = pass(ends(world({ batchSize: 16 }), 'one', oom)).next;
  const deleted = pass(withSpec(out, { cancel: true })).next;
  assert.equal(pass({ ...deleted, pods: [] }).plan.status.phase, 'Cancelled');
});

test('preflight has no batches to make smaller', () => {
  const { plan } = pass(inPreflight(endedStatus(137, '', 'OOMKilled')));
  assert.deepEqual([plan.status.phase, plan.status.microBatch], ['Failed', undefined]);
});

test('a new run starts with the batches of its spec', () => {
  const now = runsOut(world({ batchSize: 16 }), 'one');
  const again = pass({ ...withSpec(now, { runId: '2' }), batchJobs: [], pods: [] });
  assert.equal(again.plan.status.microBatch, undefined);
});
