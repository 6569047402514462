/** The loop beside an API server that fails with Jobs alone, or with everything. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '@kubernetes/client-node';
import { Caches } from '../../../operator/controller/caches.ts';
import { Controller } from '../../../operator/controller/controller.ts';
import { Memory } from '../../../operator/controller/memory.ts';
import type { Poller } from '../../../operator/controller/poller.ts';
import { Queue } from '../../../operator/controller/queue.ts';
import { fineTuneJobs } from '../../../operator/controller/resources.ts';
import type { JobSeries } from '../../../operator/controller/series.ts';
import { Sync } from '../../../operator/controller/sync.ts';
import { mainReason } from '../../../operator/decide/conditions.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { ApiError, errorOfStatus } from '../../../operator/kube/errors.ts';
import { jobs, type Resource } from '../../../operator/kube/resources.ts';
import { keyOf } from '../../../operator/kube/store.ts';
import { createLog } from '../../../operator/log.ts';
import { createMetrics } from '../../../operator/metrics.ts';
import { after, aJob, aRuntime } from '../builders.ts';
import { FakeClock } from '../fake-clock.ts';

type Fault = { ms: number; error: ApiError };
const hang: Fault = {
  ms: 30_000,
  error: new ApiError('Unavailable', 'POST /jobs: no answer within 30000 ms'),
};
const busy: Fault = {
  ms: 0,
  error: errorOfStatus('POST /jobs', 429, { message: 'too many Jobs', details: { retryAfterSeconds: 100 } }),
};

/** An operator with one new job, before an API server that fails with what `fault` says. */
function start(spec: object, fault: (resource: Resource) => Fault | undefined) {
  const clock = new FakeClock();
  const log = createLog('error', true);
  const now = () => clock.now() / 1000;
  const told: { at: number; reason: string | undefined; status: FineTuneJob['status'] }[] = [];
  const tries: number[] = [];
  const events: string[] = [];
  let version = 1;
  const answer = async (resource: Resource, object: KubernetesObject) => {
    if (resource === jobs) tries.push(now());
    const failure = fault(resource);
    if (failure === undefined) {
      const stored = { uid: 'made', ...object.metadata, resourceVersion: `${++version}` };
      return { ...object, metadata: { ...stored, creationTimestamp: after(now()) } };
    }
    await new Promise<void>((resolve) => clock.after(failure.ms, resolve));
    throw failure.error;
  };
  const create = async (resource: Resource, object: KubernetesObject) => {
    const made = await answer(resource, object);
    caches.batchJobs.put(made);
    queue.add(keyOf(job));
    return made;
  };
  const replace = async (_: unknown, object: FineTuneJob) => {
    const { metadata, ...rest } = (await answer(fineTuneJobs, object)) as FineTuneJob;
    const stored = { ...rest, metadata: { ...job.metadata, ...metadata } };
    caches.jobs.put(stored);
    told.push({ at: now(), reason: mainReason(stored.status ?? {}), status: stored.status });
    return stored;
  };
  // Whatever is read is what the caches show.
  const get = async (resource: Resource) =>
    resource === fineTuneJobs ? caches.jobs.get(keyOf(job)) : aRuntime();
  const listPage = async (resource: Resource) => ({
    objects: resource === jobs ? caches.batchJobsOf(job.metadata) : [],
  });
  const client = { create, replace, get, listPage } as unknown as Client;
  const observer = () => ({ listed() {}, failed() {}, event() {}, handlerFailed() {} });
  const caches = new Caches({ client, clock, log, namespace: undefined, observer });
  const job = aJob(spec);
  caches.jobs.put(job);
  caches.runtimes.put(aRuntime());
  const queue = new Queue({ clock, backoff: { baseMs: 200, capMs: 300_000 }, random: () => 0.5 });
  const metrics = createMetrics('0.0.0');
  const sync = new Sync({
    ...{ client, caches, metrics },
    memory: new Memory({ client, clock, detailMs: () => 0, stepMs: () => 0 }),
    record: (_, { reason }) => events.push(reason),
    decide: (observed) => decide(observed, after(now())),
    poller: { target() {}, progressOf: () => undefined } as unknown as Poller,
    series: { show() {}, remove() {} } as unknown as JobSeries,
  });
  const pass = sync.pass.bind(sync);
  void new Controller({ queue, pass, log, workers: 1, metrics }).run(new AbortController().signal);
  queue.add(keyOf(job));
  const run = async (seconds: number) => {
    // A worker gives turns to others between two keys.
    for (let i = 0; i < seconds * 4; i++) await clock.advance(250);
  };
  return { run, told, tries, events, stop: () => queue.stop() };
}

test('a Job of which no answer comes is told in two minutes, once, and ends its run at the deadline', async () => {
  const { run, told, events, tries, stop } = start({ pendingDeadlineSeconds: 900 }, (resource) =>
    resource === jobs ? hang : undefined,
  );
  await run(1200);
  stop();
  const [first] = told;
  assert.equal(first?.reason, 'JobRefused');
  assert.ok(first.at <= 120, `told after ${first.at} s`);
  assert.match(
    first.status?.failure?.message ?? '',
    /^The API server fails to make Job .*-preflight: POST .* no answer/,
  );
  assert.deepEqual(events, ['JobRefused', 'PendingDeadlineExceeded']);
  assert.equal(told.length, 2);
  assert.ok(told[1]!.at >= first.at + 899 && told[1]!.at <= first.at + 960, `ended after ${told[1]?.at} s`);
  assert.ok(tries.length >= 6 && tries.length <= 12, `${tries.length} tries`);
});

test('the wait that the API server asks for is kept, and the run goes on once the Job is taken', async () => {
  let fault: Fault | undefined = busy;
  const { run, told, tries, stop } = start({}, (resource) => (resource === jobs ? fault : undefined));
  await run(700);
  fault = undefined;
  await run(400);
  stop();
  assert.deepEqual(
    told.map(({ reason }) => reason),
    ['JobRefused', 'PreflightPending'],
  );
  const waits = tries.slice(1).map((at, i) => at - tries[i]!);
  assert.ok(Math.min(...waits) >= 100, `tried after ${waits} s`);
  assert.ok(Math.max(...waits) <= 400, `tried after ${waits} s`);
});

test('an outage of the whole API server leaves no Job told as refused, whenever it ends', async () => {
  for (const seconds of [70, 95, 125, 170, 400]) {
    let fault: Fault | undefined = hang;
    const { run, told, stop } = start({}, () => fault);
    await run(seconds);
    fault = undefined;
    await run(400);
    stop();
    // Where just the try of the Job was under way at the end, the next one is seconds later.
    const untrue = told.filter(({ reason }) => reason === 'JobRefused');
    assert.ok(untrue.length <= 1);
    const good = told.find(({ reason }) => reason === 'PreflightPending');
    if (untrue.length > 0)
      assert.ok(good!.at - untrue[0]!.at < 10, `mended after ${good!.at - untrue[0]!.at} s`);
    assert.equal(told.at(-1)?.reason, 'PreflightPending');
  }
});

test('an outage costs few tries, although now and then the Jobs alone may be what fails', async () => {
  const away: Fault = { ms: 0, error: new ApiError('Unavailable', 'POST /jobs: connection refused') };
  const { run, tries, stop } = start({}, () => away);
  await run(3600);
  stop();
  assert.ok(tries.length <= 100, `${tries.length} tries`);
});
