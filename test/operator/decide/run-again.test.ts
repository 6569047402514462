/** A run that goes back to an earlier runId begins anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunConfig } from '../../../crds/trainer-contract.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import { annotations } from '../../../operator/manifests/names.ts';
import { after, aPod, endedStatus, interrupted, pass, succeeded, validated } from '../builders.ts';
import {
  attempt,
  endedAfter,
  fresh,
  inPreflight,
  inTraining,
  orphan,
  running,
  summary,
  trainJob,
  without,
  withSpec,
} from './worlds.ts';

/** Run 1 trained for 5,000 seconds, run 2 took its place, and at 6,000 s the user goes back to run 1, within an hour. */
function backAgain(): Observed {
  const old = attempt('old', 0, endedAfter(0, 5000, 143, interrupted('old')));
  const second = pass(withSpec({ ...running, pods: [old] }, { runId: '2' }), after(5500)).next;
  const again = { runId: '1', activeDeadlineSeconds: 3600, budget: { maxGpuHours: '1' } };
  return withSpec(pass(second, after(5500)).next, again, 3);
}

/** The same world with Jobs that were made at 6,000 s. */
const madeAnew = (world: Observed): Observed => ({
  ...world,
  batchJobs: world.batchJobs.map((job) => ({
    ...job,
    metadata: { ...job.metadata, uid: `anew-${job.metadata?.name}`, creationTimestamp: after(6000) },
  })),
});

test('a run that goes back to an earlier runId begins with nothing used, whatever is left of that one', () => {
  // The Job of run 2 goes, then that of preflight is made.
  let world = pass(backAgain(), after(6000)).next;
  world = madeAnew(pass(world, after(6000)).next);
  for (const at of [6000, 6010]) {
    const { phase, usage: used, attempt, checkpoints } = pass(world, after(at)).plan.status;
    assert.deepEqual([phase, used, attempt, checkpoints], ['Preflight', undefined, undefined, undefined]);
  }
  const withoutChecks = { ...world, batchJobs: [] };
  assert.equal(pass(withoutChecks, after(6010)).plan.status.attempt, undefined);
});

/** When the trainer of the run is told that it began. */
function startTold({ batchJobs }: Observed): string | undefined {
  const annotation = batchJobs.find(({ metadata }) => metadata?.name?.endsWith('-train'))?.spec?.template
    .metadata?.annotations?.[annotations.runConfig];
  return annotation && (JSON.parse(annotation) as RunConfig).job.startTime;
}

test('its trainer is told of the later start, so that it takes nothing of what that one left', () => {
  assert.equal(startTold(running), running.job.status?.startTime);
  let world = madeAnew(pass(pass(backAgain(), after(6000)).next, after(6000)).next);
  const check = aPod(world.batchJobs[0]!, 'check', endedStatus(0, validated('check')));
  world = pass({ ...world, pods: [check] }, after(6020)).next;
  assert.equal(startTold(world), '2026-01-01T01:40:00Z');
  assert.equal(world.job.status?.startTime, startTold(world));
});

test('also where the status was lost: a Job made before and one made after it name the same start', () => {
  const known = inPreflight(endedStatus(0, validated('check')));
  const forgetful = { ...known, job: { ...known.job, status: {} } };
  const first = pass(forgetful, after(50)).next;
  const again = pass({ ...first, batchJobs: without(first, '-train').batchJobs }, after(90)).next;
  assert.equal(startTold(first), '2026-01-01T00:00:00Z');
  assert.equal(startTold(again), startTold(first));
});

test('where the Jobs of that one are still being deleted they are waited for, and their results count for nothing', () => {
  const second = { runId: '2', startTime: '2026-01-01T01:30:00Z' };
  const over = inTraining(endedStatus(0, succeeded('one')));
  const batchJobs = over.batchJobs.map((job) => ({
    ...job,
    metadata: { ...job.metadata, deletionTimestamp: after(5500) },
  }));
  const { plan } = pass({ ...over, batchJobs, job: { ...over.job, status: second } }, after(5501));
  assert.deepEqual([plan.status.phase, plan.actions], ['Pending', []]);
});

test('and counts its own attempts, also one whose Job was deleted before anybody looked', () => {
  let world = madeAnew(pass(pass(backAgain(), after(6000)).next, after(6000)).next);
  const check = aPod(world.batchJobs[0]!, 'check', endedStatus(0, validated('check')));
  world = madeAnew(pass({ ...world, pods: [...world.pods, check] }, after(6020)).next);
  const train = world.batchJobs.find(({ metadata }) => metadata?.name === trainJob.metadata?.name)!;
  const first = aPod(train, 'new', endedAfter(6030, 6040, 143), { creationTimestamp: after(6025) });
  const pods = [...world.pods, first];
  for (const batchJobs of [world.batchJobs, world.batchJobs.filter((job) => job !== train)]) {
    const { status } = pass({ ...world, batchJobs, pods }, after(6050)).plan;
    assert.deepEqual([status.usage?.attempts, status.usage?.activeSeconds], [1, 10]);
  }
});

test('also where nobody could delete them before: a Job that was refused its deletion is not taken for one of this run', () => {
  const second = { runId: '2', startTime: '2026-01-01T01:30:00Z' };
  const { next, plan } = pass({ ...running, job: { ...running.job, status: second } }, after(5501));
  assert.deepEqual(summary(plan).does, ['delete preflight', 'delete train']);
  assert.equal(next.job.status?.startTime, '2026-01-01T01:31:41Z');
});

test('nor the trainer of that one whose Job was removed without it', () => {
  const second = { runId: '2', startTime: '2026-01-01T01:30:00Z' };
  const pods = [orphan(endedStatus(0, succeeded('one')))];
  const checked = { ...fresh, job: { ...fresh.job, status: second }, batchJobs: [], pods };
  const { plan } = pass(checked, after(5501));
  assert.deepEqual([plan.status.attempt, summary(plan).does], [undefined, ['create preflight']]);
  const { usage } = pass(madeAnew(pass(checked, after(5501)).next), after(6001)).plan.status;
  assert.equal(usage, undefined);
});

test('a replica whose clock is behind goes by the start that the status tells last, and no two runs have the same', () => {
  const second = { runId: '2', startTime: '2026-01-01T01:30:00Z' };
  let world = pass({ ...fresh, job: { ...fresh.job, status: second }, batchJobs: [] }, after(60)).next;
  for (const at of [61, 62]) {
    const { plan, next } = pass({ ...world, job: { ...world.job, status: second } }, after(at));
    assert.deepEqual([plan.actions, plan.status.startTime], [[], '2026-01-01T01:30:01Z']);
    world = next;
  }
});
