/** What of a pass does not depend on what the API server says to its writes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Caches } from '../../../operator/controller/caches.ts';
import { Memory } from '../../../operator/controller/memory.ts';
import type { Poller } from '../../../operator/controller/poller.ts';
import type { PollTarget } from '../../../operator/controller/progress-request.ts';
import { fineTuneJobs } from '../../../operator/controller/resources.ts';
import type { JobSeries } from '../../../operator/controller/series.ts';
import { Sync } from '../../../operator/controller/sync.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { ApiError, errorOfStatus } from '../../../operator/kube/errors.ts';
import { keyOf } from '../../../operator/kube/store.ts';
import { createLog } from '../../../operator/log.ts';
import { createMetrics } from '../../../operator/metrics.ts';
import { endedStatus, failed, observe, runningStatus } from '../builders.ts';
import { ended, inTraining } from '../decide/worlds.ts';
import { FakeClock } from '../fake-clock.ts';

const log = createLog('error', true);

/** Passes over a world whose API server takes no write; the targets that the poller got. */
function withoutWrites({ job, runtime, batchJobs, pods }: Observed, error: ApiError) {
  const refuse = () => Promise.reject(error);
  const client = {
    create: refuse,
    replace: refuse,
    patch: refuse,
    delete: refuse,
    get: async () => job,
    listPage: async () => ({ objects: pods }),
  } as unknown as Client;
  const clock = new FakeClock();
  const caches = new Caches({
    client,
    clock,
    log,
    namespace: undefined,
    observer: () => ({ listed() {}, failed() {}, event() {}, handlerFailed() {} }),
  });
  caches.jobs.put(job);
  caches.runtimes.put(runtime!);
  for (const batchJob of batchJobs) caches.batchJobs.put(batchJob);
  for (const pod of pods) caches.pods.put(pod);
  const targets: (PollTarget | undefined)[] = [];
  const poller = {
    target: (_: string, __: string, target: PollTarget | undefined) => targets.push(target),
    progressOf: () => undefined,
  } as unknown as Poller;
  const memory = new Memory({ client, clock, detailMs: () => 0, stepMs: () => 0 });
  const sync = new Sync({
    client,
    caches,
    memory,
    record: () => {},
    decide,
    poller,
    series: { show: () => {}, remove: () => {} } as unknown as JobSeries,
    metrics: createMetrics('0.0.0'),
  });
  const pass = () => sync.pass(keyOf(job), log, new AbortController().signal);
  return { pass, clock, targets, memory };
}

/** The targets after one pass over a world whose API server is away. */
async function passWhileAway(world: Observed) {
  const { pass, targets } = withoutWrites(world, new ApiError('Unavailable', 'away'));
  await assert.rejects(pass(), /away/);
  return targets;
}

test('a trainer is asked for its progress although the status cannot be written', async () => {
  const targets = await passWhileAway(inTraining(runningStatus));
  assert.deepEqual(
    targets.map((target) => target?.podUid),
    ['one'],
  );
  assert.equal(targets[0]?.ip, runningStatus.podIP);
});

test('what a trainer said last is not forgotten before the status tells it', async () => {
  const ended = endedStatus(11, failed('one', 'DataError', 'no rows'));
  assert.deepEqual(await passWhileAway(inTraining(ended)), []);
});

test('a Job that is refused is asked for again soon; once that lasts, the next pass comes at once', async () => {
  const { pass, clock } = withoutWrites(observe(), errorOfStatus('POST /jobs', 403, { message: 'no' }));
  assert.deepEqual(await pass(), { kind: 'again' });
  await clock.advance(2000);
  assert.deepEqual(await pass(), { kind: 'after', ms: 0 });
  // It has the status to write, which this API server does not take either.
  await assert.rejects(pass(), /403/);
});

test('a run that is over is forgotten by the first pass that finds nothing to say', async () => {
  const job = { ...ended.job, metadata: { ...ended.job.metadata, resourceVersion: '5' } };
  const { pass, memory } = withoutWrites({ ...ended, job }, new ApiError('Unavailable', 'away'));
  memory.wrote(job.metadata.uid, fineTuneJobs, job);
  assert.equal(memory.size, 1);
  assert.deepEqual(await pass(), { kind: 'done' });
  assert.equal(memory.size, 0);
});
