/** Whole lives of jobs in a simulated cluster that is slow, vandalised and full of second thoughts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobEnds } from '../../../crds/status.schema.ts';
import { after, aJob, aRuntime } from '../builders.ts';
import { random } from './dice.ts';
import { Simulation } from './simulation.ts';

const lives = Number(process.env['FUZZ_CASES'] ?? 1000) / 8;

type Status = NonNullable<Simulation['job']['status']>;

function check(world: Simulation, before: Status): void {
  const { status = {} } = world.job;
  assert.ok(world.trainers.length <= 1, `${world.trainers.length} trainers are alive`);
  assert.ok((status.observedGeneration ?? 0) >= (before.observedGeneration ?? 0), 'the generation fell');
  if (status.runId !== before.runId) return;
  if (before.completionTime !== undefined) {
    assert.equal(status.phase, before.phase, 'an end was taken back');
    assert.equal(status.completionTime, before.completionTime);
  } else if (status.completionTime !== undefined) checkEnd(world, status);
  for (const field of ['attempts', 'activeSeconds', 'lostSteps', 'trainedTokens'] as const) {
    assert.ok((status.usage?.[field] ?? 0) >= (before.usage?.[field] ?? 0), `usage.${field} fell`);
  }
  const ran = world.trained.get(status.runId ?? '') ?? 0;
  assert.ok((status.usage?.activeSeconds ?? 0) <= ran, 'more time is counted than trainers ran');
}

/** A run that was ended from outside had no trainer left but of a Job that is gone, and none had come to its own end. */
function checkEnd(world: Simulation, status: Status): void {
  const { category = '' } = status.failure ?? {};
  if (!['Cancelled', 'DeadlineExceeded', 'PendingDeadlineExceeded'].includes(category)) return;
  const uids = world.batchJobs.map(({ metadata }) => metadata?.uid);
  const alive = world.trainers.filter(({ metadata }) => uids.includes(metadata?.ownerReferences?.[0]?.uid));
  assert.deepEqual(alive, [], `${category} while a trainer was alive`);
  const done = world.endedWell.filter((pod) => pod.metadata?.labels?.['finetune.dev/run'] === status.runId);
  assert.deepEqual(done, [], `${category} although the trainer had come to its end`);
}

/** It was deleted because its time was over, by what the user said last. */
function checkDeletion({ job: { spec, status }, time }: Simulation): void {
  const { ttlSecondsAfterFinished: seconds = Number.POSITIVE_INFINITY } = spec;
  assert.equal(status?.runId, spec.runId);
  assert.ok(after(time).getTime() >= Date.parse(status?.completionTime ?? '') + seconds * 1000);
}

/** Something that a user, an administrator or a queue does; `haste` = how often it is an end or a limit. */
function disturb(world: Simulation, dice: () => number, haste: number): void {
  const { spec } = world.job;
  const what = Math.floor(dice() * 13);
  if (what === 0) world.change({ suspend: !spec.suspend });
  if (what === 1 && dice() < haste) world.change({ cancel: true });
  if (what === 2 && dice() < 0.3) world.change({ runId: String(Number(spec.runId) + 1), cancel: false });
  if (what === 3) world.vandalise();
  if (what === 4) world.queue(dice() < 0.5);
  if (what === 5) world.change({ budget: { maxGpuHours: dice() < 0.5 ? '0.1' : '1' } });
  if (what === 6 && dice() < haste) world.change({ activeDeadlineSeconds: dice() < 0.5 ? 300 : 3000 });
  if (what === 8 && dice() < 0.1) world.change({ ttlSecondsAfterFinished: dice() < 0.5 ? 0 : 3000 });
  if (what === 7 && dice() < haste) world.change({ pendingDeadlineSeconds: dice() < 0.5 ? 120 : 3000 });
}

const worlds = { 'caches are up to date': false, 'caches lag behind': true };
for (const [name, lags] of Object.entries(worlds))
  test(`never two trainers, no end is taken back, nothing is counted twice, and every run comes to an end: ${name}`, () =>
    live(lags));

async function live(lags: boolean): Promise<void> {
  const ends = new Map<string, number>();
  for (let seed = 1; seed <= lives; seed++) {
    const dice = random(seed);
    const runtime = aRuntime(dice() < 0.3 ? { queueName: 'gpus' } : {});
    const world = new Simulation(aJob({ retry: { limit: 1 } }), runtime, dice, { lags });
    try {
      for (let i = 0; i < 60 && !world.isGone; i++) {
        disturb(world, dice, lags ? 1 : 0.3);
        const before = world.job.status ?? {};
        if (dice() < 0.8) await world.look(dice() < 0.1);
        check(world, before);
        world.step(10 + Math.floor(dice() * 30), 'badly');
        check(world, world.job.status ?? {});
      }
      // From now on all is well: each run comes to its end.
      if (world.isGone) {
        checkDeletion(world);
        continue;
      }
      world.change({ suspend: false, budget: { maxGpuHours: '1000' }, ttlSecondsAfterFinished: undefined });
      for (let i = 0; i < 120 && world.job.status?.completionTime === undefined; i++) {
        const before = world.job.status ?? {};
        world.queue(false);
        await world.look();
        check(world, before);
        world.step(20, 'well');
      }
      const { phase = '' } = world.job.status ?? {};
      assert.ok((jobEnds as readonly string[]).includes(phase), `it is still ${phase}`);
      ends.set(phase, (ends.get(phase) ?? 0) + 1);
      // And nothing starts again.
      for (let i = 0; i < 5; i++) {
        await world.look();
        world.step(20, 'well');
      }
      assert.equal(world.trainers.length, 0);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  for (const phase of ['Succeeded', 'Rejected', 'Failed', 'Cancelled']) {
    assert.ok((ends.get(phase) ?? 0) > lives / 100, `${phase}: ${ends.get(phase) ?? 0} of ${lives}`);
  }
}

test('a budget is never exceeded, whatever happens, while pods end within their grace period', async () => {
  let largest = 0;
  for (let seed = 1; seed <= lives / 4; seed++) {
    const dice = random(seed);
    const job = aJob({ retry: { limit: 20 }, budget: { maxGpuHours: '0.25' } });
    const world = new Simulation(job, aRuntime(), dice);
    await world.look();
    while (world.job.status?.preflight === undefined) {
      world.step(10, 'well');
      await world.look();
    }
    // The operator looks as often as it would when a limit is due.
    for (let i = 0; i < 150; i++) {
      if (dice() < 0.05) world.vandalise();
      await world.look();
      world.step(10, 'long');
    }
    const used = world.trained.get('1') ?? 0;
    assert.ok(used <= 900, `seed ${seed}: ${used} of 900 s`);
    largest = Math.max(largest, used);
    assert.equal(world.job.status?.phase, 'Suspended', `seed ${seed}`);
  }
  assert.ok(largest > 800, `budgets are hardly used: ${largest} of 900 s`);
});
