/** What a person sees of a run whose pod does not stop: its node does not answer, or its Job was removed without it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../../operator/decide/plan.ts';
import {
  after,
  aPod,
  endedStatus,
  failed,
  interrupted,
  pass,
  runningStatus,
  succeeded,
} from '../builders.ts';
import {
  type Case,
  orphan,
  running,
  testCases,
  told,
  trainJob,
  without,
  withSpec,
  withTrainJob,
} from './worlds.ts';

/** To stop by 120 seconds after the start; a node that answers has told the end a minute later. */
const toStop = aPod(trainJob, 'one', runningStatus, { deletionTimestamp: after(120) });
const asked = (spec: object): Observed => ({ ...pass(withSpec(running, spec)).next, pods: [toStop] });
const lost = (spec: object) => pass(asked(spec), after(180)).next;
const named = /Node node-1 does not tell that pod \S+-train-one has ended.*kubectl get node node-1/;

const cases: Record<string, Case> = {
  'cancelled, its node has time to tell the end of the pod': {
    given: asked({ cancel: true }),
    now: after(179),
    want: { phase: 'Stopping', does: [] },
    message: /The pod stops after a checkpoint/,
  },
  'then the node is named, and the run is not over': {
    given: asked({ cancel: true }),
    now: after(180),
    want: { phase: 'Stopping', reason: 'Cancelled', does: [] },
    message: named,
  },
  'and over when the node has told': {
    given: {
      ...lost({ cancel: true }),
      pods: [aPod(trainJob, 'one', endedStatus(143, interrupted('one')))],
    },
    now: after(500),
    want: { phase: 'Cancelled', does: [] },
  },
  'held, the node is named too': {
    given: asked({ suspend: true }),
    now: after(180),
    want: { phase: 'Suspended', reason: 'SuspendedByUser', does: [], says: [] },
    message: named,
  },
  'and before another run starts': {
    given: { ...withSpec(running, { runId: '2' }), batchJobs: [], pods: [toStop] },
    now: after(180),
    want: { phase: 'Pending', reason: 'NewRun', does: [] },
    message: named,
  },
};

const loose = { ...without(running, '-train'), pods: [orphan(runningStatus)] };
const trainsOn =
  /The Job of pod (\S+) was removed without it.*To stop it now: kubectl delete pod -n team-a \1\.$/;

const orphans: Record<string, Case> = {
  'a trainer whose Job was removed without it is waited for': {
    given: loose,
    now: after(100),
    want: { phase: 'Pending', reason: 'Waiting', does: [] },
    message: trainsOn,
  },
  'and counts for the limits of the run': {
    given: told(withSpec(loose, { activeDeadlineSeconds: 50 }), after(100)),
    now: after(100),
    want: { phase: 'Stopping', reason: 'DeadlineExceeded', does: [] },
    message: trainsOn,
  },
  'cancelled, the run is not over before it has ended': {
    given: withSpec(loose, { cancel: true }),
    want: { phase: 'Stopping', reason: 'Cancelled', does: [] },
    message: trainsOn,
  },
  'another run waits for it too': {
    given: withSpec(loose, { runId: '2' }),
    want: { phase: 'Pending', reason: 'NewRun', does: ['delete preflight'] },
    message: trainsOn,
  },
  'what it publishes is the model of the run': {
    given: { ...loose, pods: [orphan(endedStatus(0, succeeded('one')))] },
    want: { phase: 'Succeeded', does: [] },
  },
  'where it fails the run goes on with a new Job': {
    given: { ...loose, pods: [orphan(endedStatus(1, failed('one', 'Internal', 'boom')))] },
    want: { phase: 'Pending', does: ['create train'] },
  },
};

/** Somebody deleted the train Job, and somebody else keeps it: nobody stops its pod. */
const deletedBy = (finalizers: string[], world: Observed = running): Observed =>
  withTrainJob(world, { metadata: { ...trainJob.metadata, deletionTimestamp: after(60), finalizers } });
const kept = deletedBy(['example.com/audit']);
const timed = deletedBy(
  ['example.com/audit'],
  told(withSpec(running, { activeDeadlineSeconds: 50 }), after(100)),
);

const keptBy =
  /Job \S+-train is deleted, and stays until whoever has set its finalizer example\.com\/audit removes that\./;

/** Its pod has ended, and the run waits for the Job to go. */
const waitsForJob = pass({ ...pass(kept, after(61)).next, pods: [] }, after(70)).next;

const keptJobs: Record<string, Case> = {
  'a deleted Job that a finalizer keeps is ended': {
    given: kept,
    want: { phase: 'Pending', reason: 'TrainingInterrupted', does: ['patch train'] },
  },
  once: { given: pass(kept, after(61)).next, want: { does: [] } },
  'for a cancellation': {
    given: withSpec(kept, { cancel: true }),
    want: { phase: 'Stopping', does: ['patch train'] },
  },
  'for a hold': {
    given: withSpec(kept, { suspend: true }),
    want: { phase: 'Suspended', does: ['patch train'] },
  },
  'for a deadline': { given: timed, now: after(100), want: { phase: 'Stopping', does: ['patch train'] } },
  'for another run': {
    given: withSpec(kept, { runId: '2' }),
    want: { phase: 'Pending', reason: 'NewRun', does: ['delete preflight', 'patch train'] },
  },
  'and left to the garbage collector where that removes its pods': {
    given: withSpec(deletedBy(['foregroundDeletion']), { cancel: true }),
    want: { phase: 'Stopping', does: [] },
  },
  'and once its pod has ended whoever keeps it is named, in a wait': {
    given: { ...pass(kept, after(61)).next, pods: [] },
    now: after(90),
    want: { phase: 'Pending', does: [] },
    message: keptBy,
  },
  'in a cancellation of a later run': {
    given: { ...withSpec(kept, { runId: '2', cancel: true }), pods: [] },
    now: after(90),
    want: { phase: 'Stopping', does: ['delete preflight'] },
    message: keptBy,
  },
  'and in the wait of a later run': {
    given: pass({ ...withSpec(kept, { runId: '2' }), pods: [] }, after(70)).next,
    now: after(90),
    want: { phase: 'Pending', reason: 'NewRun', does: [] },
    message: keptBy,
  },
  'and on hold, where no pending deadline counts': {
    given: pass(withSpec(waitsForJob, { suspend: true, pendingDeadlineSeconds: 600 }), after(90)).next,
    now: after(9000),
    want: { phase: 'Suspended', reason: 'SuspendedByUser', does: [] },
  },
  'whose node is named where it tells nothing': {
    given: { ...kept, pods: [toStop] },
    now: after(180),
    want: { phase: 'Pending', reason: 'TrainingInterrupted' },
    message: named,
  },
};

testCases({ ...cases, ...orphans, ...keptJobs });

test('the run is looked at again when its node should have told, and not all the time afterwards', () => {
  const world = asked({ cancel: true });
  assert.equal(pass(world, after(100)).plan.requeueAfterMs, 80_000);
  assert.equal(pass(world, after(180)).plan.requeueAfterMs, undefined);
});
