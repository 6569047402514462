/** What of a pass does not depend on what the API server says to its writes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Caches } from '../../../operator/controller/caches.ts';
import { Memory } from '../../../operator/controller/memory.ts';
import type { Poller } from '../../../operator/controller/poller.ts';
import type { PollTarget } from '../../../operator/controller/progress-request.ts';
import type { JobSeries } from '../../../operator/controller/series.ts';
import { Sync } from '../../../operator/controller/sync.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { ApiError } from '../../../operator/kube/errors.ts';
import { keyOf } from '../../../operator/kube/store.ts';
import { createLog } from '../../../operator/log.ts';
import { createMetrics } from '../../../operator/metrics.ts';
import { endedStatus, failed, runningStatus } from '../builders.ts';
import { inTraining } from '../decide/worlds.ts';
import { FakeClock } from '../fake-clock.ts';

const log = createLog('error', true);

/** One pass over a world whose API server takes no write; the targets that the poller got. */
async function passWithoutWrites({ job, runtime, batchJobs, pods }: Observed) {
  const refuse = () => Promise.reject(new ApiError('Unavailable', 'refused'));
  const client = {
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
    onJob: () => {},
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
  const sync = new Sync({
    client,
    caches,
    memory: new Memory({ client, clock, detailMs: () => 0 }),
    record: () => {},
    isBusy: () => false,
    decide,
    poller,
    series: { show: () => {}, remove: () => {} } as unknown as JobSeries,
    metrics: createMetrics('0.0.0'),
  });
  await assert.rejects(sync.pass(keyOf(job), log, new AbortController().signal), /refused/);
  return targets;
}

test('a trainer is asked for its progress although the status cannot be written', async () => {
  const targets = await passWithoutWrites(inTraining(runningStatus));
  assert.deepEqual(
    targets.map((target) => target?.podUid),
    ['one'],
  );
  assert.equal(targets[0]?.ip, runningStatus.podIP);
});

test('what a trainer said last is not forgotten before the status tells it', async () => {
  const ended = endedStatus(11, failed('one', 'DataError', 'no rows'));
  assert.deepEqual(await passWithoutWrites(inTraining(ended)), []);
});
