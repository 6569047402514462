/** spec.cancel: how a run is ended before its goal, and what stands against it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../../operator/decide/plan.ts';
import {
  aJob,
  aPod,
  endedStatus,
  interrupted,
  observe,
  pass,
  progressOf,
  rejected,
  runningStatus,
  start,
  succeeded,
  trained,
  validated,
} from '../builders.ts';
import {
  type Case,
  ended,
  fresh,
  inPreflight,
  inTraining,
  over,
  running,
  testCases,
  trainJob,
  without,
  withSpec,
  withTrainJob,
} from './worlds.ts';

const cancel = { cancel: true };
const savedAt = (uid: string) => aPod(trainJob, uid, endedStatus(143, interrupted(uid)));
const held = pass(withSpec(running, { suspend: true })).next;
/** A Job that was asked to end, and is suspended by its queue a moment later. */
const evicted = { spec: { ...trainJob.spec!, activeDeadlineSeconds: 1, suspend: true } };

/** A trainer runs, the preflight Job is gone, and the status was not written since its start. */
const unreported: Observed = {
  ...without(running, 'preflight'),
  job: { ...running.job, status: fresh.job.status! },
};

const cases: Record<string, Case> = {
  'a job that is cancelled from birth starts nothing': {
    given: observe({ job: aJob(cancel), runtime: undefined }),
    want: {
      phase: 'Cancelled',
      reason: 'Cancelled',
      category: 'Cancelled',
      does: [],
      says: ['Normal Cancelled'],
    },
  },
  'a running trainer is asked to stop, and the run is not over while it saves a checkpoint': {
    given: withSpec(running, cancel),
    want: { phase: 'Stopping', reason: 'Cancelled', does: ['patch train'], says: ['Normal Cancelled'] },
    message: /The pod stops after a checkpoint/,
  },
  'a cancelled run is over once its pod has ended': {
    given: { ...pass(withSpec(running, cancel)).next, pods: [savedAt('one')] },
    want: { phase: 'Cancelled', does: [], says: ['Normal Cancelled'] },
  },
  'a trainer that could not save its checkpoint is cancelled all the same': {
    given: {
      ...withTrainJob(pass(withSpec(running, cancel)).next, over('DeadlineExceeded')),
      pods: [aPod(trainJob, 'one', endedStatus(30))],
    },
    want: { phase: 'Cancelled', reason: 'Cancelled', does: [] },
  },
  'also where the report of preflight was lost before the status told it': {
    given: withSpec(unreported, cancel),
    want: { phase: 'Stopping', does: ['patch train'] },
  },
  'preflight is cancelled': {
    given: withSpec(inPreflight(runningStatus), cancel),
    want: { phase: 'Stopping', does: ['patch preflight'] },
  },
  'a trainer is held where the report of preflight was lost before the status told it': {
    given: withSpec(unreported, { suspend: true }),
    want: { phase: 'Suspended', does: ['patch train'] },
  },
  'a run on hold is cancelled: its Job, which a queue could wake up, goes': {
    given: { ...withSpec(held, { suspend: true, cancel: true }, 3), pods: [] },
    want: { phase: 'Cancelled', does: ['delete train'], says: ['Normal Cancelled'] },
  },
  'a run that is just being held is cancelled: the last word of its pod is waited for': {
    given: withSpec(held, { suspend: true, cancel: true }, 3),
    want: { phase: 'Stopping', does: [] },
  },
  'a run that waits in a queue is cancelled': {
    given: withSpec(trained({}, { queueName: 'gpus' }).next, cancel),
    want: { phase: 'Cancelled', does: ['delete train'] },
  },
  'its queue evicts the Job before the Job controller has ended it: it would start again': {
    given: { ...withTrainJob(pass(withSpec(running, cancel)).next, evicted), pods: [savedAt('one')] },
    want: { phase: 'Cancelled', does: ['delete train'] },
  },
  'the same, and the end is said already': {
    given: {
      ...withTrainJob(pass({ ...pass(withSpec(running, cancel)).next, pods: [] }).next, evicted),
      pods: [],
    },
    want: { phase: 'Cancelled', does: ['delete train'], says: [] },
  },
  'the trainer succeeded before it could be cancelled': {
    given: withSpec(inTraining(endedStatus(0, succeeded('one'))), cancel),
    want: { phase: 'Succeeded', does: [] },
  },
  'the gate refused the model before the run could be cancelled': {
    given: withSpec(inTraining(endedStatus(0, rejected('one'))), cancel),
    want: { phase: 'Rejected', does: [] },
  },
  'a dry run was through before it could be cancelled': {
    given: withSpec(inPreflight(endedStatus(0, validated('check'))), { cancel: true, dryRun: true }),
    want: { phase: 'Validated', does: [] },
  },
  'a finished run cannot be cancelled': {
    given: withSpec(ended, cancel),
    want: { phase: 'Succeeded', does: [], says: [] },
  },
};

testCases(cases);

const condition = (world: Observed, type: string) =>
  world.job.status?.conditions?.find((one) => one.type === type)?.status;

test('a cancelled run is failed for kubectl wait and for kstatus', () => {
  const { next } = pass(observe({ job: aJob(cancel) }));
  const types = ['Complete', 'Failed', 'Rejected', 'Ready', 'Reconciling', 'Stalled'];
  assert.deepEqual(
    types.map((type) => condition(next, type)),
    ['False', 'True', 'False', 'False', 'False', 'True'],
  );
});

test('while a run is being stopped it has not ended', () => {
  const { next } = pass(withSpec(running, cancel));
  assert.deepEqual(
    ['Complete', 'Failed', 'Reconciling', 'Running'].map((type) => condition(next, type)),
    ['Unknown', 'Unknown', 'True', 'False'],
  );
  assert.equal(next.job.status?.completionTime, undefined);
});

test('the checkpoint that a cancelled trainer saved is in the status', () => {
  const { status } = pass({ ...pass(withSpec(running, cancel)).next, pods: [savedAt('one')] }).plan;
  assert.deepEqual([status.phase, status.checkpoints?.[0]?.step], ['Cancelled', 20]);
});

test('a trainer that is being stopped is not asked any more', () => {
  const value = progressOf('one');
  const world = { ...withSpec(running, cancel), progress: { podUid: 'one', at: start, value } };
  assert.equal(pass(world).plan.poll, undefined);
});
