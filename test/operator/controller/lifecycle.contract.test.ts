/** What a user may ask of a run, and how runs end, on a real API server. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Job } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import {
  type Api,
  deleteAll,
  eventually,
  list,
  type Running,
  read,
  startApi,
  startOperator,
} from '../api.ts';
import { stageOf, succeed, training } from '../stations.ts';

describe('lifecycle on a real API server', () => {
  let api: Api;
  let running: Running | undefined;
  before(async () => {
    api = await startApi('job-lifecycle');
  });
  after(() => api.stop());
  afterEach(async () => {
    running?.operator.stop();
    await running?.ended;
    running = undefined;
    await deleteAll(api.plane);
    assert.deepEqual(
      api.proxy.requests.filter(({ status }) => status === 401 || status === 403),
      [],
    );
  });

  const patch = (name: string, spec: object) =>
    api.plane.kubectl(['patch', 'ftj', name, '--type=merge', '-p', JSON.stringify({ spec })]);

  it('runs no child again that is deleted after the end, and keeps the finished status', async () => {
    running = await startOperator(api);
    const run = await training(api.plane, 'kept');
    await succeed(api.plane, run);
    const { status } = (await read<FineTuneJob>(api.plane, 'ftj', 'kept'))!;
    await api.plane.kubectl(['delete', 'jobs,pods', '--all', '--force', '--grace-period=0']);
    running.operator.stop();
    await running.ended;
    running = await startOperator(api);
    await sleep(2000);
    assert.deepEqual(await list<V1Job>(api.plane, 'jobs'), []);
    assert.deepEqual((await read<FineTuneJob>(api.plane, 'ftj', 'kept'))?.status, status);
  });

  it('deletes a job when its time to live is over, and not the one that is asked to stay', async () => {
    running = await startOperator(api);
    const passing = await training(api.plane, 'passing', { 'spec.ttlSecondsAfterFinished': 3 });
    const staying = await training(api.plane, 'staying', { 'spec.ttlSecondsAfterFinished': 3 });
    await succeed(api.plane, passing);
    await succeed(api.plane, staying);
    await patch('staying', { ttlSecondsAfterFinished: null });
    assert.ok(await read(api.plane, 'ftj', 'passing'), 'it is kept for its time to live');
    await eventually('deletion', async () => (await read(api.plane, 'ftj', 'passing')) === undefined);
    await sleep(2000);
    assert.ok(await read(api.plane, 'ftj', 'staying'));
    assert.ok(await stageOf(api.plane, staying.job, 'train'));
  });
});
