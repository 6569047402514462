/** Whole lives of jobs in a simulated cluster that is slow, vandalised and full of second thoughts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import { jobEnds } from '../../../crds/status.schema.ts';
import { containerStatus } from '../../../operator/decide/ending.ts';
import { after, aJob, aRuntime } from '../builders.ts';
import { random } from './dice.ts';
import { isTrain } from './kubelet.ts';
import { Simulation } from './simulation.ts';

const lives = Number(process.env['FUZZ_CASES'] ?? 1000) / 8;

type Status = NonNullable<Simulation['job']['status']>;

function check(world: Simulation, before: Status): void {
  const { status = {} } = world.job;
  assert.ok(world.trainers.length <= 1, `${world.trainers.length} trainers are alive`);
  assert.ok((status.observedGeneration ?? 0) >= (before.observedGeneration ?? 0), 'the generation fell');
  checkHold(world);
  if (status.runId !== before.runId) return;
  if (before.completionTime !== undefined) {
    assert.equal(status.phase, before.phase, 'an end was taken back');
    assert.equal(status.completionTime, before.completionTime);
  } else if (status.completionTime !== undefined) checkEnd(world, status);
  for (const field of ['attempts', 'activeSeconds', 'lostSteps', 'trainedTokens'] as const) {
    assert.ok((status.usage?.[field] ?? 0) >= (before.usage?.[field] ?? 0), `usage.${field} fell`);
  }
  assert.ok((status.usage?.activeSeconds ?? 0) <= world.trained, 'more time is counted than trainers ran');
}

/** A run that its user holds waits for nothing; only an end that came first stands, or batches that have to be smaller. */
function checkHold({ job: { metadata, spec, status = {} } }: Simulation): void {
  if (!spec.suspend || spec.cancel || status.observedGeneration !== metadata.generation) return;
  if (status.completionTime !== undefined) return;
  assert.equal(status.waitingSince, undefined);
  const { phase, failure } = status;
  if (phase !== 'Suspended')
    assert.deepEqual([phase, failure?.category], ['Training', 'AcceleratorOutOfMemory']);
}

const fromOutside = ['Cancelled', 'DeadlineExceeded', 'PendingDeadlineExceeded'];

/**
 * A run that was ended from outside has no trainer at work but of a Job that is gone, or one that should have stopped on a node
 * that is away, and none that had come to its own end.
 * One that failed by itself tells how its pod ended.
 */
function checkEnd({ podsOfJobs, time }: Simulation, { phase, failure }: Status): void {
  const { category = '', exitCode } = failure ?? {};
  const trainers = podsOfJobs.filter(isTrain);
  const isAtWork = ({ status, metadata }: V1Pod) =>
    status?.phase === 'Running' && (metadata?.deletionTimestamp ?? after(time)) >= after(time);
  if (fromOutside.includes(category)) {
    assert.ok(!trainers.some(isAtWork), `${category} while a trainer was at work`);
    const isDone = trainers.some(({ status }) => status?.phase === 'Succeeded');
    assert.ok(!isDone, `${category} although the trainer had come to its end`);
  } else if (phase === 'Failed') {
    const codes = podsOfJobs.map((pod) => containerStatus(pod)?.state?.terminated?.exitCode ?? 0);
    const failures = codes.filter((code) => code !== 0 && code !== 143);
    assert.ok(failures.length === 0 || exitCode !== undefined, `${failures} is not told`);
  }
}

/** It was deleted because its time was over, by what the user said last. */
function checkDeletion({ job: { spec, status }, time }: Simulation): void {
  const { ttlSecondsAfterFinished: seconds = Number.POSITIVE_INFINITY } = spec;
  assert.equal(status?.runId, spec.runId);
  assert.ok(after(time).getTime() >= Date.parse(status?.completionTime ?? '') + seconds * 1000);
}

const { accelerator } = aRuntime().spec;

/** Something that a user, an administrator or a queue does; `haste` = how often it is an end or a limit. */
function disturb(world: Simulation, dice: () => number, haste: number): void {
  const { spec } = world.job;
  const what = Math.floor(dice() * 20);
  const draw = <T>(...choices: T[]): T => choices[Math.floor(dice() * choices.length)]!;
  if (what === 0) world.change({ suspend: !spec.suspend });
  if (what === 1 && dice() < haste) world.change({ cancel: true });
  if ((what === 2 || world.isOver) && dice() < haste)
    world.change({ runId: spec.runId === '1' ? '2' : '1', cancel: false });
  if (what === 3 || (what >= 16 && world.trainers.length > 0)) world.vandalise();
  if (what === 4) world.queue(dice() < 0.5);
  if (what === 5)
    world.change({
      budget: draw<object>({ maxGpuHours: '0.05' }, { maxCost: '0.2' }, { maxCost: '4', maxGpuHours: '2' }),
    });
  if (what === 6 && dice() < haste) world.change({ activeDeadlineSeconds: dice() < 0.5 ? 90 : 3000 });
  if (what === 7 && dice() < haste) world.change({ pendingDeadlineSeconds: dice() < 0.5 ? 60 : 3000 });
  if (what === 8) world.offerRuntime(dice() < 0.5);
  if (what === 10) world.changeRuntime({ terminationGracePeriodSeconds: draw(30, 600) });
  if (what === 11)
    world.changeRuntime({
      accelerator: { ...accelerator, ...draw<object>({}, { pricePerHour: '4' }, { pricePerHour: '8' }) },
    });
  if (what === 12) world.orphan();
  if (what === 13) world.keep();
  if (what === 14 || what === 15) world.release();
  if (what === 9 && dice() < 0.1) world.change({ ttlSecondsAfterFinished: dice() < 0.5 ? 0 : 3000 });
}

const sights = { 'caches are up to date': false, 'caches lag behind': true };
for (const [name, lags] of Object.entries(sights)) {
  test(`never two trainers, no end is taken back, nothing is counted twice, and every run comes to an end: ${name}`, async () => {
    const ends = new Map<string, number>();
    for (let seed = 1; seed <= lives; seed++) {
      try {
        const end = await live(seed, lags);
        ends.set(end, (ends.get(end) ?? 0) + 1);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    for (const end of ['Succeeded', 'Rejected', 'Failed', 'Cancelled', 'gone']) {
      assert.ok((ends.get(end) ?? 0) > lives / 100, `${end}: ${ends.get(end) ?? 0} of ${lives}`);
    }
  });
}

/** @returns the phase at the end, or that its time to live was over */
async function live(seed: number, lags: boolean): Promise<string> {
  const dice = random(seed);
  const runtime = aRuntime(dice() < 0.5 ? { queueName: 'gpus' } : {});
  const ahead = [0, 0, 3600, -3600][Math.floor(dice() * 4)]!;
  const world = new Simulation(aJob({ retry: { limit: 1 } }), runtime, dice, { ahead, lags });
  for (let i = 0; i < 60 && !world.isGone; i++) {
    disturb(world, dice, lags ? 0.5 : 0.3);
    const before = world.job.status ?? {};
    if (dice() < 0.8) await world.look(dice() < 0.1);
    check(world, before);
    world.step(10 + Math.floor(dice() * 30), 'badly');
    check(world, world.job.status ?? {});
  }
  if (world.isGone) {
    checkDeletion(world);
    return 'gone';
  }
  await endWell(world, dice);
  // Nothing starts again, whatever its queue does.
  await calmDown(world);
  const { made } = world;
  world.queue(false);
  await calmDown(world);
  assert.equal(world.trainers.length, 0);
  assert.equal(world.made, made, 'an ended run made a Job or a pod');
  return world.job.status?.phase ?? '';
}

/** From now on all is well: each run comes to its end. */
async function endWell(world: Simulation, dice: () => number): Promise<void> {
  world.offerRuntime(true);
  world.changeRuntime({ accelerator: { ...accelerator, pricePerHour: '1' } });
  world.release();
  world.change({ suspend: false, budget: { maxGpuHours: '1000' }, ttlSecondsAfterFinished: undefined });
  for (let i = 0; i < 120 && !world.isOver; i++) {
    if (i > 0) world.step(20, 'well');
    const before = world.job.status ?? {};
    if (i === 5 && dice() < 0.3) world.change({ cancel: true });
    if (before.phase !== 'Stopping') world.queue(false);
    await world.look();
    check(world, before);
    // What stops makes room at once, before the Job controller has seen that it is to end.
    if (world.job.status?.phase === 'Stopping') world.queue(true);
  }
  const { phase = '' } = world.job.status ?? {};
  assert.ok((jobEnds as readonly string[]).includes(phase), `it is still ${phase}`);
}

async function calmDown(world: Simulation): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await world.look();
    world.step(20, 'well');
  }
}

async function checked(world: Simulation): Promise<void> {
  await world.look();
  while (world.job.status?.preflight === undefined && !world.isOver) {
    world.step(10, 'well');
    world.queue(false);
    await world.look();
  }
}

test('where nodes are lost and queues evict, never two trainers, and no end while a checkpoint is being saved', async () => {
  const ends = { whileLost: 0, others: 0 };
  for (let seed = 1; seed <= lives; seed++) {
    const dice = random(seed);
    const job = aJob({ retry: { limit: 20 }, pendingDeadlineSeconds: 60 });
    const world = new Simulation(job, aRuntime(dice() < 0.5 ? { queueName: 'gpus' } : {}), dice);
    await checked(world);
    for (let i = 0; i < 60 && !world.isOver; i++) {
      if (dice() < 0.05) world.loseNode();
      if (dice() < 0.1) world.vandalise();
      if (dice() < 0.2) world.queue(dice() < 0.4);
      if (dice() < 0.02) world.change({ runId: `${i}` });
      const before = world.job.status ?? {};
      await world.look();
      try {
        check(world, before);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      world.step(10, 'long');
    }
    if (world.isOver) ends[world.trainers.length > 0 ? 'whileLost' : 'others']++;
  }
  assert.ok(Math.min(...Object.values(ends)) > lives / 50, JSON.stringify(ends));
});

test('a budget is never exceeded, whatever happens, while pods end within their grace period', async () => {
  let largest = 0;
  for (let seed = 1; seed <= lives / 4; seed++) {
    const dice = random(seed);
    const job = aJob({ retry: { limit: 20 }, budget: { maxGpuHours: '0.25' } });
    // A clock that is ahead hides what is used until the trainer has ended.
    const world = new Simulation(job, aRuntime(), dice, { ahead: seed % 2 === 0 ? -3600 : 0 });
    await checked(world);
    // The operator looks as often as it would when a limit is due.
    for (let i = 0; i < 150; i++) {
      if (dice() < 0.05) world.vandalise();
      await world.look();
      world.step(10, 'long');
    }
    const used = world.trained;
    assert.ok(used <= 900, `seed ${seed}: ${used} of 900 s`);
    largest = Math.max(largest, used);
    assert.equal(world.job.status?.phase, 'Suspended', `seed ${seed}`);
  }
  assert.ok(largest > 800, `budgets are hardly used: ${largest} of 900 s`);
});
