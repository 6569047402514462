/** What becomes of an action that the API server refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execute } from '../../../operator/controller/execute.ts';
import { Memory } from '../../../operator/controller/memory.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { ApiError, type ErrorKind } from '../../../operator/kube/errors.ts';
import { createLog } from '../../../operator/log.ts';
import { aJob } from '../builders.ts';
import { FakeClock } from '../fake-clock.ts';

/** The outcome of a plan that deletes the job itself, when the delete is refused like this. */
function deletion(refusal: ErrorKind) {
  const job = { ...aJob(), status: { phase: 'Succeeded' as const } };
  const { apiVersion, kind, metadata } = job;
  const client = { delete: () => Promise.reject(new ApiError(refusal, 'refused')) } as unknown as Client;
  const memory = new Memory({ client, clock: new FakeClock(), detailMs: 0 });
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
