/** What a pass writes, and what becomes of an action that the API server refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '@kubernetes/client-node';
import { execute } from '../../../operator/controller/execute.ts';
import { Memory } from '../../../operator/controller/memory.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { ApiError, type ErrorKind, errorOfStatus } from '../../../operator/kube/errors.ts';
import { jobs } from '../../../operator/kube/resources.ts';
import { createLog } from '../../../operator/log.ts';
import { aJob, endedStatus, observe, pass, runningStatus, validated } from '../builders.ts';
import { fresh, inPreflight, inTraining, running, trainJob, withSpec } from '../decide/worlds.ts';
import { FakeClock } from '../fake-clock.ts';

/** Carries out what is decided about a world; the server takes whatever is written. */
function start(stepMs = 0) {
  const clock = new FakeClock();
  const written: string[] = [];
  const take = (what: string) => async (_: unknown, object: KubernetesObject) => {
    written.push(what);
    return { ...object, metadata: { ...object.metadata, uid: 'u', resourceVersion: '1' } };
  };
  const client = { create: take('create'), replace: take('status') } as unknown as Client;
  const memory = new Memory({ client, clock, detailMs: () => 10_000, stepMs: () => stepMs });
  const log = createLog('error');
  const { signal } = new AbortController();
  const act = (world: Observed) =>
    execute(world.job, pass(world).plan, { client, memory, record: () => {} }, log, signal);
  return { clock, written, act };
}

test('the Job of a new run comes first, its status with the next pass', async () => {
  const { written, act } = start();
  const world = observe();
  assert.deepEqual(await act(world), { laterMs: 500 });
  assert.deepEqual(written, ['create']);
  // The Job is there and the status says nothing yet.
  assert.equal(await act({ ...fresh, job: world.job }), 'wrote');
  assert.deepEqual(written, ['create', 'status']);
});

test('the train Job and what the status says of it are written in one pass', async () => {
  const { written, act } = start();
  const checked = inPreflight(endedStatus(0, validated('check')));
  assert.equal(await act(checked), 'wrote');
  assert.deepEqual(written, ['create', 'status']);
});

test('a detail waits, a step does while there is much to do, and what comes next tells both', async () => {
  const { clock, written, act } = start(5000);
  assert.deepEqual(await act(inPreflight({})), { laterMs: 10_000 });
  assert.deepEqual(await act(inPreflight(runningStatus)), { laterMs: 5000 });
  await clock.advance(4000);
  assert.deepEqual(await act(inPreflight(runningStatus)), { laterMs: 1000 });
  assert.equal(await act(inPreflight(endedStatus(0, validated('check')))), 'wrote');
  assert.deepEqual(written, ['create', 'status']);
  const idle = start();
  assert.deepEqual(await idle.act(inPreflight({})), { laterMs: 10_000 });
  assert.equal(await idle.act(inPreflight(runningStatus)), 'wrote');
});

test('a job that is deleted before it had a status gets none', async () => {
  const { written, act } = start();
  const job = { ...aJob(), metadata: { ...aJob().metadata, deletionTimestamp: new Date() } };
  assert.equal(await act(observe({ job })), 'unchanged');
  assert.deepEqual(written, []);
});

/** The outcome of a plan that deletes the job itself, when the delete is refused like this. */
function deletion(refusal: ErrorKind) {
  const job = { ...aJob(), status: { phase: 'Succeeded' as const } };
  const { apiVersion, kind, metadata } = job;
  const client = { delete: () => Promise.reject(new ApiError(refusal, 'refused')) } as unknown as Client;
  const memory = new Memory({ client, clock: new FakeClock(), detailMs: () => 0, stepMs: () => 0 });
  const { name, uid } = metadata;
  const action = {
    kind: 'delete' as const,
    apiVersion,
    objectKind: kind,
    name,
    uid,
    because: 'its time is over',
  };
  const plan = { actions: [action], status: job.status, events: [], poll: undefined };
  const { signal } = new AbortController();
  return execute(job, plan, { client, memory, record: () => {} }, createLog('error'), signal);
}

test('a delete that meets a conflict is tried again: no watch tells of an object that nobody changed', async () => {
  assert.equal(await deletion('Conflict'), 'again');
});

test('what is gone already was deleted', async () => {
  assert.equal(await deletion('NotFound'), 'unchanged');
});

test('a Job whose hold meets a conflict is read, also where no watch has shown it yet', async () => {
  const world = withSpec(inTraining(runningStatus), { suspend: true });
  const { metadata } = trainJob;
  const refuse = () => Promise.reject(new ApiError('Conflict', 'changed'));
  const client = { patch: refuse, get: async () => trainJob } as unknown as Client;
  const memory = new Memory({ client, clock: new FakeClock(), detailMs: () => 0, stepMs: () => 0 });
  const { signal } = new AbortController();
  const { plan } = pass(world);
  assert.deepEqual(
    plan.actions.map(({ kind }) => kind),
    ['patch'],
  );
  const dependencies = { client, memory, record: () => {} };
  assert.equal(await execute(world.job, plan, dependencies, createLog('error', true), signal), 'again');
  const found = await memory.fresh(world.job.metadata.uid, jobs, () => undefined, signal);
  assert.deepEqual([...found], [[`${metadata?.namespace}/${metadata?.name}`, trainJob]]);
});

/** Carries out what is decided about a world whose API server answers every write of a Job with this error. */
function refusing(error: ApiError) {
  const refuse = () => Promise.reject(error);
  const replace = async (_: unknown, object: KubernetesObject) => (world.statusFails ? refuse() : object);
  const client = { create: refuse, patch: refuse, replace } as unknown as Client;
  const clock = new FakeClock();
  const memory = new Memory({ client, clock, detailMs: () => 0, stepMs: () => 0 });
  const dependencies = { client, memory, record: () => {} };
  const { signal } = new AbortController();
  const act = (world: Observed) =>
    execute(world.job, pass(world).plan, dependencies, createLog('error', true), signal);
  const world = { act, clock, statusFails: false, refusals: () => memory.refusals(aJob().metadata.uid) };
  return world;
}

test('a refusal is remembered with the words of the API server, and decided on anew', async () => {
  for (const [status, reason, message] of [
    [403, 'Forbidden', 'no Jobs here'],
    [422, 'Invalid', 'no Jobs here'],
    [400, 'BadRequest', 'no Jobs here'],
    [500, 'InternalError', 'Internal error occurred: failed calling webhook "x": EOF'],
  ] as const) {
    const { act, refusals } = refusing(errorOfStatus('POST /jobs', status, { reason, message }));
    assert.equal(await act(observe()), 'again');
    const name = fresh.batchJobs[0]?.metadata?.name;
    assert.deepEqual(refusals(), [{ kind: 'create', name, answer: message, lastedMs: 0, agoMs: 0 }]);
  }
});

/** What comes of so many tries, half a minute apart. */
async function tries(count: number, { act, clock }: ReturnType<typeof refusing>, world = observe()) {
  const outcomes: unknown[] = [];
  for (let i = 0; i < count; i++) {
    outcomes.push(await act(world).catch((error: Error) => error.message));
    await clock.advance(30_000);
  }
  return outcomes;
}

test('who is not known, a conflict, and who gave up or lost the lease, are no refusal however often', async () => {
  const answers = [401, 404, 409].map((status) => errorOfStatus('POST /jobs', status, { message: 'no' }));
  for (const error of [...answers, new ApiError('Aborted', 'the lease is no longer held')]) {
    const world = refusing(error);
    assert.deepEqual(await tries(5, world), Array(5).fill(error.message));
    assert.deepEqual(world.refusals(), []);
  }
});

test('an action that fails for a minute and three times is as good as refused', async () => {
  const failures = [429, 500, 503].map((status) => errorOfStatus('POST /jobs', status, { message: 'no' }));
  for (const error of [...failures, new ApiError('Unavailable', 'no answer within 30000 ms')]) {
    const world = refusing(error);
    assert.deepEqual(await tries(4, world), [error.message, error.message, 'refused', 'again']);
    const [refusal] = world.refusals();
    assert.equal(refusal?.isFailure, true);
    assert.equal(refusal.answer, error.answer ?? error.message);
    assert.equal(refusal.lastedMs, 32_000);
  }
  const slow = refusing(errorOfStatus('POST /jobs', 503, { message: 'no' }));
  await assert.rejects(slow.act(observe()));
  await slow.clock.advance(300_000);
  await assert.rejects(slow.act(observe()), /no/, 'two tries are few');
});

test('where the status cannot be written either, no single action is taken for refused', async () => {
  const world = refusing(errorOfStatus('POST /jobs', 503, { message: 'no' }));
  await tries(3, world);
  const refused = { ...observe(), refusals: world.refusals().map((one) => ({ ...one, agoMs: 0 })) };
  world.statusFails = true;
  await assert.rejects(world.act(refused), /no/);
  assert.deepEqual(world.refusals(), []);
  assert.deepEqual(await tries(1, world), ['POST /jobs: 503 no'], 'its time begins anew');
});

test('what is left to do for a run that is over is tried again as the API server asks', async () => {
  const world = refusing(errorOfStatus('PATCH /jobs', 429, { message: 'no' }, '60'));
  const { next } = pass(inPreflight(endedStatus(137, '', 'OOMKilled')));
  const outcomes = await tries(5, world, { ...next, batchJobs: fresh.batchJobs });
  assert.deepEqual(outcomes, Array(5).fill('PATCH /jobs: 429 no'));
});

test('once a refusal has lasted for two seconds it is told at once, however long the back-off is by then', async () => {
  const { act, clock } = refusing(errorOfStatus('POST /jobs', 403, { message: 'no' }));
  assert.equal(await act(observe()), 'again');
  await clock.advance(1999);
  assert.equal(await act(observe()), 'again');
  await clock.advance(1);
  assert.equal(await act(observe()), 'refused');
});

test('a refusal is kept while its action is wanted, left alone or not, and no longer', async () => {
  const { act, clock, refusals } = refusing(errorOfStatus('PATCH /jobs', 403, { message: 'no holds' }));
  const held = withSpec(running, { suspend: true });
  await act(held);
  await clock.advance(3000);
  assert.equal(await act(held), 'refused');
  assert.equal(await act({ ...held, refusals: refusals() }), 'wrote', 'it is told');
  assert.equal(refusals().length, 1);
  await act(running);
  assert.deepEqual(refusals(), []);
});

test('a Job of a run that is over and must not be ended is tried again by the back-off', async () => {
  const { act, clock } = refusing(errorOfStatus('PATCH /jobs', 403, { message: 'no' }));
  const { next } = pass(inPreflight(endedStatus(137, '', 'OOMKilled')));
  const over = { ...next, batchJobs: fresh.batchJobs };
  assert.equal(await act(over), 'again');
  await clock.advance(5000);
  assert.equal(await act(over), 'refused');
  for (let i = 0; i < 3; i++) assert.equal(await act(over), 'again', 'once is no hot loop');
});
