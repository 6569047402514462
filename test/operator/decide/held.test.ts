/** A run that the user or its budget holds is Suspended, whatever else is true of it, and waits for nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../../operator/decide/plan.ts';
import {
  after,
  aJob,
  aPod,
  aRuntime,
  endedStatus,
  interrupted,
  observe,
  pass,
  runningStatus,
  trained,
} from '../builders.ts';
import {
  actedOn,
  type Case,
  fresh,
  preflightJob,
  running,
  summary,
  testCases,
  trainJob,
  without,
  withSpec,
} from './worlds.ts';

const suspend = { suspend: true };
/** Shorter than the two minutes that a trainer has to save its checkpoint. */
const pending = { pendingDeadlineSeconds: 60 };
const hour = { budget: { maxGpuHours: '1' } };
/** Of the budget of an hour two minutes are left for the checkpoint. */
const usedUp = after(3600 - 120);

const queue = trained({}, { queueName: 'gpus' });
const pods = [aPod(queue.trainJob, 'one', runningStatus)];
const queued: Observed = pass({
  ...queue.next,
  pods,
  batchJobs: queue.next.batchJobs.map((job) =>
    job === queue.trainJob ? { ...job, spec: { ...job.spec!, suspend: false } } : job,
  ),
}).next;
/** The Job is deleted, so that the queue gets its quota back; the pod saves its checkpoint meanwhile. */
const stopping = pass(withSpec(queued, { ...suspend, ...pending })).next;
const stopped = { ...stopping, pods: [aPod(queue.trainJob, 'one', endedStatus(143, interrupted('one')))] };
const outOfBudget = actedOn(withSpec(queued, { ...hour, ...pending }), usedUp);
const held: Case['want'] = {
  phase: 'Suspended',
  reason: 'SuspendedByUser',
  category: undefined,
  does: [],
  says: [],
};
const beforeBirth = observe({ job: aJob({ ...suspend, ...pending }) });
const afterPreflight = without(withSpec(fresh, suspend), 'preflight');

const outOfMemory: Observed = {
  ...pass(withSpec(running, suspend)).next,
  pods: [aPod(trainJob, 'one', endedStatus(137, '', 'OOMKilled'))],
};
const queuedOutOfMemory: Observed = {
  ...pass(withSpec(queued, suspend)).next,
  batchJobs: queued.batchJobs,
  pods: [aPod(queue.trainJob, 'one', endedStatus(137, '', 'OOMKilled'))],
};

const cases: Record<string, Case> = {
  'and its trainer runs out of memory while it stops: its next batches are smaller, once it goes on': {
    given: outOfMemory,
    want: held,
  },
  'and so does a queued one, whose Job stays until its next batches are told': {
    given: queuedOutOfMemory,
    want: { ...held, does: ['patch train'] },
  },
  'and goes once they are': {
    given: pass(queuedOutOfMemory).next,
    want: { ...held, does: ['delete train'] },
  },
  'with smaller batches then': {
    given: withSpec(pass(outOfMemory).next, { suspend: false }, 3),
    want: { phase: 'Training', reason: 'TrainingRetrying', does: ['delete train'] },
  },
  'while the pod of its queued Job saves a checkpoint': {
    given: stopping,
    now: after(119),
    want: held,
    message: /The pod stops after a checkpoint/,
  },
  'when that pod has ended': {
    given: stopped,
    now: after(120),
    want: held,
    message: /Set spec\.suspend to false/,
  },
  'as long as nobody lets it go on': { given: stopped, now: after(1e6), want: held },
  'resumed while the pod still stops, it waits for that, and says so once': {
    given: withSpec(stopping, { suspend: false }, 3),
    now: after(30),
    want: { phase: 'Pending', reason: 'Waiting', does: [], says: ['Normal Resumed'] },
    message: /Waits for earlier pods to end/,
  },
  'cancelled while the pod still stops': {
    given: withSpec(stopping, { cancel: true }, 3),
    now: after(90),
    want: { phase: 'Stopping', reason: 'Cancelled', does: [] },
    message: /The pod stops after a checkpoint/,
  },
  'and cancelled for good when it has ended': {
    given: withSpec(stopped, { cancel: true }, 3),
    now: after(90),
    want: { phase: 'Cancelled', reason: 'Cancelled', does: [] },
  },
  'out of budget while the pod of its queued Job saves a checkpoint': {
    given: outOfBudget,
    now: after(3600 - 1),
    want: { ...held, reason: 'BudgetExhausted', category: 'BudgetExhausted' },
    message: /The pod stops after a checkpoint/,
  },
  'out of budget and without its runtime': {
    given: { ...outOfBudget, pods: [], runtime: undefined },
    now: after(1e6),
    want: { ...held, reason: 'BudgetExhausted', category: 'BudgetExhausted' },
    message: /Raise spec\.budget/,
  },
  'held for want of a price while the pod of its queued Job stops': {
    given: pass(withSpec(queued, { budget: { maxCost: '5' }, ...pending })).next,
    now: after(119),
    want: { ...held, reason: 'RuntimeForbidden', category: 'RuntimeForbidden' },
    message: /accelerator\.pricePerHour/,
  },
  'a run without a price because it waits for its runtime says that': {
    given: observe({ job: aJob({ budget: { maxCost: '5' } }), runtime: undefined }),
    want: { phase: 'Pending', reason: 'RuntimeNotFound' },
  },
  'without its runtime': { given: { ...stopped, runtime: undefined }, now: after(1e6), want: held },
  'without its runtime from birth': {
    given: pass({ ...beforeBirth, runtime: undefined }).next,
    now: after(60),
    want: held,
  },
  'refused by its runtime': {
    given: pass({ ...beforeBirth, runtime: aRuntime({ allowedNamespaces: ['team-b'] }) }).next,
    now: after(60),
    want: held,
  },
  'while somebody else has the name of its Job': {
    given: pass({ ...beforeBirth, foreign: [`Job ${preflightJob.metadata?.name}`] }).next,
    now: after(60),
    want: held,
  },
  'with settings that make no run config': {
    given: withSpec(observe(), { ...suspend, training: { ...aJob().spec.training, epochs: '0' } }),
    want: { ...held, says: ['Normal SuspendedByUser'] },
  },
  'when its preflight Job was deleted by hand': {
    given: { ...afterPreflight, runtime: undefined },
    want: { ...held, says: ['Normal SuspendedByUser'] },
  },
  'as a new run: the earlier one is stopped all the same': {
    given: withSpec(running, { ...suspend, runId: '2' }),
    want: {
      ...held,
      does: ['delete preflight', 'delete train'],
      says: ['Normal NewRun', 'Normal SuspendedByUser'],
    },
    message: /The pod stops/,
  },
  'cancelled as a new run: it is over when the earlier one has stopped': {
    given: withSpec(running, { cancel: true, runId: '2' }),
    want: { phase: 'Stopping', reason: 'Cancelled', does: ['delete preflight', 'delete train'] },
  },
  'a deadline that is reached stands although the Job was deleted by hand': {
    given: without(actedOn(withSpec(running, { activeDeadlineSeconds: 60 }), after(60)), 'train'),
    now: after(70),
    want: { phase: 'Stopping', reason: 'DeadlineExceeded', says: [] },
  },
};

testCases(cases);

test('no wait is counted while a run is held, and the next one begins when it goes on', () => {
  for (const world of [stopping, stopped, outOfBudget, pass({ ...beforeBirth, runtime: undefined }).next]) {
    assert.equal(world.job.status?.waitingSince, undefined);
  }
  const goesOn = withSpec({ ...stopped, runtime: undefined }, { suspend: false }, 3);
  const { plan, next } = pass(goesOn, after(1000));
  assert.equal(plan.status.waitingSince, '2026-01-01T00:16:40Z');
  assert.equal(summary(pass(next, after(1059)).plan).reason, 'RuntimeNotFound');
  assert.equal(summary(pass(next, after(1060)).plan).reason, 'PendingDeadlineExceeded');
});
