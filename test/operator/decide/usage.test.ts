/** What status says about the cost of a run: trainer time over all attempts, and steps that were done twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fineTuneJobStatus } from '../../../crds/status.schema.ts';
import type { Progress } from '../../../crds/trainer-contract.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import {
  after,
  endedStatus,
  interrupted,
  pass,
  progressOf,
  runningFrom,
  runningStatus,
} from '../builders.ts';
import {
  endedAfter,
  inTraining,
  attempt as pod,
  running,
  trainJob,
  withSpec,
  withTrainJob,
} from './worlds.ts';

function answered(world: Observed, podUid: string, at: number, changes: Partial<Progress> = {}): Observed {
  return pass(
    { ...world, progress: { podUid, at: after(at), value: progressOf(podUid, changes) } },
    after(at),
  ).next;
}

const usage = (world: Observed) => pass(world, after(10_000)).plan.status.usage;

test('a trainer on a node that is lost is counted up to when it was to be killed', () => {
  const deletionTimestamp = after(90);
  const lost = inTraining(runningFrom(10), { deletionTimestamp });
  const world = withSpec(lost, { activeDeadlineSeconds: 3600 });
  const { status } = pass(world, after(10_000)).plan;
  assert.deepEqual([status.phase, status.failure?.category], ['Pending', 'NodeLost']);
  assert.ok((status.usage?.activeSeconds ?? 0) <= 80);
});

test('a live trainer is counted up to its last answer, so a pass without news writes nothing', () => {
  const world = answered(inTraining(runningFrom(10)), 'one', 40);
  assert.equal(world.job.status?.usage?.activeSeconds, 30);
  for (const at of [41, 500]) assert.deepEqual(pass(world, after(at)).plan.status, world.job.status);
});

test('a clock that is put right while the trainer runs adds no time that nobody used', () => {
  const month = 30 * 86_400;
  const world = inTraining(endedAfter(10 - month, 70, 143, interrupted('one')));
  assert.equal(usage(world)?.activeSeconds, 70);
  const behind = inTraining(endedAfter(10 - month, 70 - month, 143, interrupted('one')));
  assert.equal(usage(behind)?.activeSeconds, 60);
});

test('attempts add up, each from the start of its container to its end', () => {
  const first = pod('one', 0, endedAfter(10, 70, 31));
  const second = pod('two', 80, endedAfter(100, 130, 31));
  assert.equal(usage({ ...running, pods: [first, second] })?.activeSeconds, 90);
  let world = pass({ ...running, pods: [first] }).next;
  world = pass({ ...world, pods: [first, second] }).next;
  world = pass({ ...world, pods: [second] }).next;
  world = pass({ ...world, pods: [second, pod('three', 140, runningFrom(150))] }).next;
  assert.equal(answered(world, 'three', 160).job.status?.usage?.activeSeconds, 100);
});

test('time in a queue, in the image pull and on hold counts for nothing', () => {
  assert.equal(usage(inTraining({ phase: 'Pending' }))?.activeSeconds, 0);
  const held = withTrainJob(running, { spec: { ...trainJob.spec, suspend: true } });
  const stopped = { ...held, pods: [pod('one', 0, endedAfter(0, 50, 143, interrupted('one')))] };
  assert.equal(usage(pass(stopped).next)?.activeSeconds, 50);
  assert.equal(usage({ ...pass(stopped).next, pods: [] })?.activeSeconds, 50);
});

test('what was counted stands when a pod goes before anybody saw its end', () => {
  const world = { ...answered(running, 'one', 40), pods: [], progress: undefined };
  assert.equal(usage(world)?.activeSeconds, 40);
});

test('a pod that is lost with its node does not count on for ever', () => {
  const world = answered(running, 'one', 40);
  const lost = { ...runningStatus, phase: 'Failed', reason: 'NodeLost' };
  assert.equal(usage({ ...world, pods: [pod('one', 0, lost)] })?.activeSeconds, 40);
});

test('a container that could not be started used nothing, whatever the runtime says of 1970', () => {
  const failed = endedAfter(0, 20, 128);
  Object.assign(failed.containerStatuses![0]!.state!.terminated!, { startedAt: new Date(0) });
  assert.equal(usage({ ...running, pods: [pod('one', 0, failed)] })?.activeSeconds, 0);
});

test('a node whose clock is an hour behind charges no hour that nobody used', () => {
  const onTheWay = (seconds: number) => ({
    ...runningFrom(10 - 3600),
    conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: after(seconds) }],
  });
  const world = inTraining(onTheWay(8));
  assert.equal(answered(world, 'one', 40).job.status?.usage?.activeSeconds, 32);
  const limits = { activeDeadlineSeconds: 600, budget: { maxGpuHours: '0.5' } };
  const { status } = pass(withSpec(world, limits), after(40)).plan;
  assert.deepEqual([status.phase, status.usage?.activeSeconds], ['Training', 0]);
  // Its last word is right: both ends are by the same clock.
  const ended = { ...world, pods: [pod('one', 0, endedAfter(10 - 3600, 70 - 3600, 31))] };
  assert.equal(usage(ended)?.activeSeconds, 60);
});

test('a node whose clock is an hour ahead charges what was used when its trainer has ended', () => {
  const world = answered(inTraining(runningFrom(10 + 3600)), 'one', 40);
  assert.equal(world.job.status?.usage?.activeSeconds, 0);
  const ended = { ...world, pods: [pod('one', 0, endedAfter(10 + 3600, 70 + 3600, 31))] };
  assert.equal(usage(ended)?.activeSeconds, 60);
});

test('a trainer that lies about its steps cannot make a status that the API server refuses', () => {
  const most = Number.MAX_SAFE_INTEGER;
  let world = answered(running, 'one', 40, { step: most, totalSteps: most });
  for (const [uid, at] of [
    ['two', 60],
    ['three', 90],
  ] as const) {
    world = pass({ ...world, progress: undefined, pods: [pod(uid, at, runningFrom(at))] }).next;
    world = answered(world, uid, at + 5, { step: most, totalSteps: most });
  }
  assert.equal(world.job.status?.usage?.lostSteps, most);
  assert.ok(fineTuneJobStatus.safeParse(world.job.status).success);
});

test('the pod of a deleted Job still tells how long it ran and what it saved', () => {
  const stopped = pod('one', 0, endedAfter(0, 50, 143, interrupted('one')));
  const { status } = pass({ ...running, batchJobs: running.batchJobs.slice(0, 1), pods: [stopped] }).plan;
  assert.equal(status.usage?.activeSeconds, 50);
  assert.equal(status.checkpoints?.[0]?.step, 20);
});

test('accelerators multiply the time', () => {
  const spec = { ...running.job.spec, resources: { gpus: 4 } };
  assert.equal(
    answered({ ...running, job: { ...running.job, spec } }, 'one', 30).job.status?.usage?.gpuSeconds,
    120,
  );
});

/** The first attempt got to step 10; a second one has started. */
function secondAttempt(): Observed {
  const world = answered(running, 'one', 40);
  return pass({ ...world, progress: undefined, pods: [pod('two', 60, runningFrom(60))] }).next;
}
const losses = (world: Observed) => [
  world.job.status?.attempt?.lostSteps,
  world.job.status?.usage?.lostSteps,
];

test('steps since the checkpoint are lost with the attempt, and counted once', () => {
  let world = secondAttempt();
  world = answered(world, 'two', 61, { phase: 'Preparing', step: 0 });
  assert.deepEqual(losses(world), [undefined, 0]);
  world = answered(world, 'two', 70, { step: 8, resumedFromStep: 7 });
  assert.deepEqual(losses(world), [3, 3]);
  world = answered(world, 'two', 80, { step: 15, resumedFromStep: 7 });
  assert.deepEqual(losses(world), [3, 3]);
  world = pass({ ...world, progress: undefined, pods: [pod('three', 90, runningFrom(90))] }).next;
  world = answered(world, 'three', 95, { step: 11, resumedFromStep: 10 });
  assert.deepEqual(losses(world), [5, 8]);
});

test('without a checkpoint all steps are lost', () => {
  assert.deepEqual(losses(answered(secondAttempt(), 'two', 70, { step: 1 })), [10, 10]);
});

test('a trainer that saved its last step loses nothing', () => {
  let world = pass({
    ...answered(running, 'one', 40),
    pods: [pod('one', 0, endedStatus(143, interrupted('one')))],
  }).next;
  world = pass({ ...world, progress: undefined, pods: [pod('two', 120, runningFrom(120))] }).next;
  assert.deepEqual(losses(answered(world, 'two', 130, { step: 20, resumedFromStep: 20 })), [0, 0]);
});

test('an attempt that never got to training does not hide how far the run was', () => {
  let world = answered(secondAttempt(), 'two', 61, { phase: 'Preparing', step: 0 });
  world = pass({ ...world, progress: undefined, pods: [pod('three', 90, runningFrom(90))] }).next;
  assert.deepEqual(losses(answered(world, 'three', 95, { step: 7, resumedFromStep: 7 })), [3, 3]);
});

test('the base model is shown while its successor trains, and stays', () => {
  const world = answered(running, 'one', 40, { baseline: { accuracy: 0.52 } });
  const shown = {
    baseline: { accuracy: '0.52' },
    primary: { metric: 'accuracy', baseline: '0.52' },
  };
  assert.deepEqual(world.job.status?.evaluation, shown);
  assert.deepEqual(pass({ ...world, progress: undefined }).plan.status.evaluation, shown);
});

test('the step that an attempt went on from is that of the newest one', () => {
  const world = answered(secondAttempt(), 'two', 70, { step: 8, resumedFromStep: 7 });
  assert.equal(world.job.status?.resumedFromStep, 7);
  const third = { ...world, progress: undefined, pods: [pod('three', 90, runningFrom(90))] };
  const { next } = pass(third, after(95));
  assert.equal(next.job.status?.resumedFromStep, undefined);
  assert.equal(
    answered(next, 'three', 99, { step: 1, resumedFromStep: undefined }).job.status?.resumedFromStep,
    undefined,
  );
});
