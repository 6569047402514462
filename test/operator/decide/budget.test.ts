/** spec.budget: what is counted, who is warned, and that it is never exceeded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fineTuneJobStatus } from '../../../crds/status.schema.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import { annotations } from '../../../operator/manifests/names.ts';
import {
  after,
  aJob,
  aPod,
  aRuntime,
  endedStatus,
  interrupted,
  observe,
  pass,
  progressOf,
  succeeded,
  trained,
} from '../builders.ts';
import {
  actedOn,
  type Case,
  inTraining,
  running,
  summary,
  testCases,
  told,
  trainJob,
  withSpec,
  withTrainJob,
} from './worlds.ts';

const hour = { budget: { maxGpuHours: '1' } };
const price = (pricePerHour: string) => aRuntime({ accelerator: { pricePerHour, currency: 'EUR' } });
const saved = [aPod(trainJob, 'one', endedStatus(143, interrupted('one')))];
// The grace period of the runtime is two minutes.
const stopAt = 3600 - 120;
const exhausted = actedOn(withSpec(running, hour), after(stopAt));
const maxCost = { budget: { maxCost: '5' } };
/** Held, because its runtime names no price; then that is gone. */
const unpriced = { ...pass(withSpec(running, maxCost)).next, pods: [], runtime: undefined };
/** Its pod has half an hour to save a checkpoint. */
const slow = running.pods.map((pod) => ({
  ...pod,
  spec: { ...pod.spec!, terminationGracePeriodSeconds: 1800 },
}));
const patient = actedOn(pass(withSpec({ ...running, pods: slow }, hour)).next, after(1800));

const cases: Record<string, Case> = {
  'a trainer within its budget is left alone': {
    given: withSpec(running, hour),
    now: after(stopAt - 1),
    want: { phase: 'Training', does: [] },
  },
  'it is stopped so early that saving a checkpoint stays within the budget': {
    given: told(withSpec(running, hour), after(stopAt)),
    now: after(stopAt),
    want: {
      phase: 'Suspended',
      reason: 'BudgetExhausted',
      category: 'BudgetExhausted',
      does: ['patch train'],
      says: ['Warning BudgetExhausted'],
    },
    message: /after a checkpoint/,
  },
  'that the budget is used up is told before the trainer is stopped': {
    given: withSpec(running, hour),
    now: after(stopAt),
    want: { phase: 'Training', does: [], says: ['Warning BudgetNearlyExhausted'] },
  },
  'and then it holds for a process that starts when the stopped pod is gone': {
    given: {
      ...withTrainJob(told(withSpec(running, hour), after(stopAt)), {
        spec: { ...trainJob.spec, suspend: true },
        metadata: { ...trainJob.metadata, annotations: { [annotations.heldByUser]: 'true' } },
      }),
      pods: [],
    },
    now: after(99_999),
    want: { phase: 'Suspended', reason: 'BudgetExhausted', does: [] },
  },
  'two accelerators use up a budget in half the time': {
    given: told(withSpec(running, { ...hour, resources: { gpus: 2 } }), after(1800 - 120)),
    now: after(1800 - 120),
    want: { reason: 'BudgetExhausted' },
  },
  'a budget by cost': {
    given: told(
      { ...withSpec(running, { budget: { maxCost: '5' } }), runtime: price('10') },
      after(1800 - 120),
    ),
    now: after(1800 - 120),
    want: { reason: 'BudgetExhausted' },
  },
  'of two budgets the smaller one counts': {
    given: told(
      { ...withSpec(running, { budget: { maxCost: '5', maxGpuHours: '9' } }), runtime: price('10') },
      after(1800 - 120),
    ),
    now: after(1800 - 120),
    want: { reason: 'BudgetExhausted' },
  },
  'a budget below the grace period still lets the trainer start': {
    given: withSpec(running, { budget: { maxGpuHours: '0.02' } }),
    now: after(35),
    want: { phase: 'Training' },
  },
  'and stops it at half of it': {
    given: told(withSpec(running, { budget: { maxGpuHours: '0.02' } }), after(36)),
    now: after(36),
    want: { reason: 'BudgetExhausted' },
  },
  'a queued Job gives its quota back': {
    given: {
      ...withSpec(trained({}, { queueName: 'gpus' }).next, hour),
      pods: [aPod(trained({}, { queueName: 'gpus' }).trainJob, 'one', running.pods[0]!.status)],
    },
    now: after(3600),
    want: { reason: 'BudgetExhausted', does: ['delete train'] },
  },
  'without a change nothing goes on': {
    given: { ...exhausted, pods: [] },
    now: after(99_999),
    want: { phase: 'Suspended', reason: 'BudgetExhausted', does: [], says: [] },
    message: /Raise spec\.budget/,
  },
  'nor when its runtime vanishes or has another grace period': {
    given: { ...patient, pods: [], runtime: undefined },
    now: after(99_999),
    want: { phase: 'Suspended', reason: 'BudgetExhausted', does: [], says: [] },
  },
  'a larger budget lets the run go on from its checkpoint': {
    given: { ...withSpec(exhausted, { budget: { maxGpuHours: '2' } }, 3), pods: saved },
    now: after(99_999),
    want: {
      phase: 'Pending',
      reason: 'TrainingPending',
      does: ['patch train'],
      says: ['Normal Resumed'],
    },
  },
  'a run that is out of budget can be cancelled': {
    given: { ...withSpec(exhausted, { cancel: true }, 3), pods: saved },
    want: { phase: 'Cancelled', does: ['delete train'] },
  },
  'success at the last moment is success': {
    given: withSpec(inTraining(endedStatus(0, succeeded('one'))), { budget: { maxGpuHours: '0.001' } }),
    want: { phase: 'Succeeded' },
  },
  'a budget by cost needs a price': {
    given: observe({ job: aJob({ budget: { maxCost: '5' } }) }),
    want: { phase: 'Suspended', reason: 'RuntimeForbidden', category: 'RuntimeForbidden', does: [] },
    message: /accelerator\.pricePerHour/,
  },
  'a runtime that vanishes for a moment is not said to have no price, and stops no preflight': {
    given: {
      ...pass(observe({ job: aJob({ budget: { maxCost: '5' } }), runtime: price('2') })).next,
      runtime: undefined,
    },
    want: { phase: 'Preflight', does: [] },
  },
  'a run that is held for want of a price stays so while its runtime is gone': {
    given: unpriced,
    want: { phase: 'Suspended', reason: 'RuntimeForbidden', does: [], says: [] },
    message: /FineTuneRuntime "default" does not exist, so spec.budget.maxCost cannot be kept/,
  },
  'also when its user has held it meanwhile': {
    given: withSpec(pass(withSpec(unpriced, { ...maxCost, suspend: true }, 3)).next, { suspend: false }, 4),
    want: { phase: 'Suspended', reason: 'RuntimeForbidden', does: [] },
  },
  'a budget of hours is kept whatever the price': {
    given: {
      ...told(
        { ...withSpec(running, { budget: { maxGpuHours: '1', maxCost: '5' } }), runtime: undefined },
        after(stopAt),
      ),
      runtime: undefined,
    },
    now: after(stopAt),
    want: { reason: 'BudgetExhausted', does: ['patch train'] },
  },
  'a budget by cost that comes too late for a price stops the trainer': {
    given: withSpec(running, { budget: { maxCost: '5' } }),
    want: { reason: 'RuntimeForbidden', does: ['patch train'] },
  },
};

testCases(cases);

function answered(world: Observed, at: number) {
  return pass({ ...world, progress: { podUid: 'one', at: after(at), value: progressOf('one') } }, after(at));
}

test('cost and the used part of the budget are in the status', () => {
  const world = { ...withSpec(running, { budget: { maxCost: '10' } }), runtime: price('2.5') };
  const { usage } = answered(world, 1440).plan.status;
  assert.equal(usage?.gpuSeconds, 1440);
  assert.deepEqual([usage?.cost, usage?.pricePerHour, usage?.currency], ['1', '2.5', 'EUR']);
  assert.equal(usage?.budgetPercent, 10);
});

test('a budget that is next to nothing holds the run, however many times it is used up', () => {
  const world = withSpec(running, { budget: { maxGpuHours: '1e-20' } });
  const { status } = answered(world, 60).plan;
  assert.ok(fineTuneJobStatus.safeParse(status).success, JSON.stringify(status.usage));
  assert.equal(pass(answered(world, 60).next, after(61)).plan.status.phase, 'Suspended');
});

test('a run keeps the price that it started with', () => {
  const started = answered({ ...running, runtime: price('2') }, 1800).next;
  for (const runtime of [price('7'), aRuntime(), undefined]) {
    const { usage } = answered({ ...started, runtime }, 3600).plan.status;
    assert.deepEqual([usage?.cost, usage?.currency], ['2', 'EUR']);
  }
});

test('without a price no cost is claimed', () => {
  const { usage } = answered(running, 60).plan.status;
  assert.deepEqual(
    [usage?.cost, usage?.pricePerHour, usage?.budgetPercent],
    [undefined, undefined, undefined],
  );
});

test('the owner is warned once when four fifths are used, with or without an answer of the trainer', () => {
  const world = withSpec(running, hour);
  assert.equal(pass(world, after(60)).plan.requeueAfterMs, (2880 - 60) * 1000);
  const warned = pass(world, after(2880));
  assert.deepEqual(summary(warned.plan).says, ['Warning BudgetNearlyExhausted']);
  assert.equal(warned.plan.status.usage?.budgetPercent, 80);
  assert.equal(warned.plan.requeueAfterMs, (stopAt - 2880) * 1000);
  assert.deepEqual(summary(pass(warned.next, after(2900)).plan).says, []);
  assert.deepEqual(summary(answered(warned.next, 2950).plan).says, []);
});

test('the budget holds although the pod went before anybody saw how long it ran', () => {
  assert.equal(exhausted.job.status?.usage?.activeSeconds, stopAt);
  assert.equal(summary(pass({ ...exhausted, pods: [] }, after(99_999)).plan).reason, 'BudgetExhausted');
});
