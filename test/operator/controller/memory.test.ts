import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '../../../operator/controller/memory.ts';
import { fineTuneJobs } from '../../../operator/controller/resources.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { jobs } from '../../../operator/kube/resources.ts';
import { FakeClock } from '../fake-clock.ts';

const written = { metadata: { namespace: 'n', name: 'j', uid: 'u', resourceVersion: '5' } };
const nothing = () => undefined;

const change = (spec: object) => ({
  ...{ kind: 'patch' as const, apiVersion: 'batch/v1', objectKind: 'Job', name: 'j', uid: 'u' },
  patch: { spec },
});
const hold = change({ suspend: true });
const end = change({ activeDeadlineSeconds: 1 });
const make = { kind: 'create' as const, object: { metadata: { name: 'j' } } };
const no = { answer: 'no', retryAfterMs: undefined };

const times = { detailMs: () => 10_000, stepMs: () => 5000 };

/** No request may be made here. */
const noClient = {} as Client;

test('a watch has half a second to show a write, then it is read', async () => {
  const clock = new FakeClock();
  const memory = new Memory({ client: noClient, clock, ...times });
  assert.equal(memory.behindMs('u', nothing), 0);
  memory.wrote('u', fineTuneJobs, written);
  assert.equal(memory.behindMs('u', nothing), 500);
  assert.equal(
    memory.behindMs('u', () => written),
    0,
  );
  await clock.advance(400);
  assert.equal(memory.behindMs('u', nothing), 100);
  await clock.advance(100);
  assert.equal(memory.behindMs('u', nothing), 0);
});

test('an object that met a conflict is read until the cache shows it, also where the cache never did', async () => {
  const { metadata } = written;
  const client = { get: () => Promise.resolve(written) } as unknown as Client;
  const memory = new Memory({ client, clock: new FakeClock(), ...times });
  const { signal } = new AbortController();
  const fresh = (cached?: typeof written) => memory.fresh('u', jobs, () => cached, signal);
  memory.changed('u', jobs, metadata, metadata.uid);
  assert.deepEqual([...(await fresh())], [['n/j', written]]);
  assert.deepEqual([...(await fresh())], [['n/j', written]], 'the cache is as far behind as it was');
  assert.deepEqual([...(await fresh(written))], [['n/j', written]]);
  assert.deepEqual([...(await fresh(written))], [], 'the cache shows what is there');
});

test('of a job that rests nothing is kept once the caches show what was written', async () => {
  const memory = new Memory({ client: noClient, clock: new FakeClock(), ...times });
  const { signal } = new AbortController();
  memory.wrote('u', fineTuneJobs, written);
  memory.rest('u');
  assert.equal(memory.size, 1, 'no cache has shown the write');
  await memory.fresh('u', fineTuneJobs, () => written, signal);
  memory.rest('u');
  assert.equal(memory.size, 0);
  memory.refused('u', make, no);
  memory.rest('u');
  assert.equal(memory.size, 1, 'what was refused may be asked for again');
});

test('details wait from one write of the status to the next, and after a start', async () => {
  const clock = new FakeClock();
  const memory = new Memory({ client: noClient, clock, ...times });
  assert.equal(memory.untilDetailMs('u'), 10_000);
  await clock.advance(10_000);
  assert.equal(memory.untilDetailMs('u'), 0);
  memory.wrote('u', fineTuneJobs, written);
  await clock.advance(4000);
  assert.equal(memory.untilDetailMs('u'), 6000);
});

test('a step waits since it was first seen, until a write tells of it', async () => {
  const clock = new FakeClock();
  const memory = new Memory({ client: noClient, clock, ...times });
  assert.equal(memory.untilStepMs('u'), 5000);
  await clock.advance(4000);
  assert.equal(memory.untilStepMs('u'), 1000);
  memory.wrote('u', fineTuneJobs, written);
  assert.equal(memory.untilStepMs('u'), 5000);
});

test('refusals of an action add up until the API server takes something', async () => {
  const clock = new FakeClock();
  const memory = new Memory({ client: noClient, clock, ...times });
  assert.equal(memory.refused('u', make, no), false);
  await clock.advance(3000);
  const notYet = { answer: 'not yet', retryAfterMs: 7000 };
  assert.equal(memory.refused('u', make, notYet), true);
  assert.equal(memory.refused('u', make, notYet), false, 'it is told once');
  memory.refused('u', hold, no);
  await clock.advance(1000);
  assert.deepEqual(memory.refusals('u'), [
    { kind: 'create', name: 'j', ...notYet, lastedMs: 3000, agoMs: 1000 },
    { kind: 'patch', name: 'j', patch: hold.patch, answer: 'no', lastedMs: 0, agoMs: 1000 },
  ]);
  assert.deepEqual(memory.refusals('other'), []);
  memory.wrote('u', fineTuneJobs, written);
  assert.equal(memory.refusals('u').length, 2, 'the status is no Job');
  memory.wrote('u', jobs, written);
  assert.deepEqual(memory.refusals('u'), []);
});

test('each change of a Job is refused by itself, and what was not wanted for a while is refused anew', async () => {
  const clock = new FakeClock();
  const memory = new Memory({ client: noClient, clock, ...times });
  memory.refused('u', hold, no);
  await clock.advance(3000);
  assert.equal(memory.refused('u', end, no), false, 'it was never tried before');
  memory.planned('u', [end]);
  assert.deepEqual(
    memory.refusals('u').map(({ patch }) => patch),
    [end.patch],
  );
  assert.equal(memory.refused('u', hold, no), false, 'its time begins anew');
});
