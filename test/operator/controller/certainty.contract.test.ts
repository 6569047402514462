/** No end is said, and nothing is undone, on what a watch that has fallen silent showed last; on a real API server. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import { read } from '../api.ts';
import { checked, endWell, interrupt, stageOf, startTrainer, statusOf, training } from '../stations.ts';
import { TestApi } from '../test-api.ts';

describe('with a watch that has fallen silent', () => {
  const api = new TestApi('certainty');
  beforeEach(() => api.proxy.silent.clear());
  afterEach(() => assert.deepEqual(api.refused(), []));

  /** Reads of what is watched, since request number `since`. */
  const reads = (since: number) =>
    api.proxy.requests
      .slice(since)
      .filter(({ method, path, watch }) => method === 'GET' && !watch && !path.includes('/leases'))
      .map(({ path }) => path.replace(/^.*\/(jobs|pods|finetunejobs|finetuneruntimes)\b.*$/, '$1'));
  const statusNow = async (name: string) => (await read<FineTuneJob>(api.plane, 'ftj', name))?.status;
  // Its own last write may have to be read before it, where the watch was slow.
  const everything = /jobs,pods,finetunejobs,finetuneruntimes/;

  it('a trainer runs on that seems to wait for longer than it may', async () => {
    await api.start();
    const { job, train } = await checked(api.plane, 'seems-late');
    await statusOf(api.plane, 'seems-late', 'the wait', ({ phase }) => phase === 'Pending');
    api.proxy.silent.add('pods');
    const since = api.proxy.requests.length;
    const pod = await startTrainer(api.plane, train);
    await api.patch('seems-late', { pendingDeadlineSeconds: 1 });
    await statusOf(api.plane, 'seems-late', 'the trainer', ({ phase }) => phase === 'Training');
    assert.match(reads(since).join(), everything);
    assert.equal((await stageOf(api.plane, job, 'train'))?.spec?.activeDeadlineSeconds, undefined);
    assert.equal((await statusNow('seems-late'))?.attempt?.podUID, pod.metadata?.uid);
  });

  it('a run is cancelled only after its trainer, which is not known yet, has saved a checkpoint', async () => {
    await api.start();
    const { job, train } = await checked(api.plane, 'seems-idle');
    await statusOf(api.plane, 'seems-idle', 'the wait', ({ phase }) => phase === 'Pending');
    api.proxy.silent.add('pods');
    const pod = await startTrainer(api.plane, train);
    await api.patch('seems-idle', { cancel: true });
    await statusOf(api.plane, 'seems-idle', 'the stop', ({ phase }) => phase === 'Stopping');
    await interrupt(api.plane, { job, train, pod });
    await api.plane.kubectl(['annotate', 'ftj', 'seems-idle', 'touch=1']);
    const end = await statusOf(api.plane, 'seems-idle', 'the end', (now) => now.phase === 'Cancelled' && now);
    assert.equal(end.attempt?.number, 1);
    assert.equal(end.checkpoints?.[0]?.step, 20);
  });

  it('a run that has succeeded in time is not stopped at its deadline', async () => {
    await api.start();
    const run = await training(api.plane, 'seems-busy');
    api.proxy.silent.add('pods');
    api.proxy.silent.add('jobs');
    await endWell(api.plane, run);
    const { status } = (await read<V1Pod>(api.plane, 'pod', run.pod.metadata!.name!))!;
    const { startedAt, finishedAt } = status!.containerStatuses![0]!.state!.terminated!;
    const used = (Date.parse(`${finishedAt}`) - Date.parse(`${startedAt}`)) / 1000;
    // Its trainer seems to run, and to come to this end at last.
    await api.patch('seems-busy', { activeDeadlineSeconds: used + 1 });
    const { phase, usage } = await statusOf(
      api.plane,
      'seems-busy',
      'the end',
      (now) => now.completionTime !== undefined && now,
    );
    assert.equal(phase, 'Succeeded');
    assert.equal(usage?.activeSeconds, used, 'it never reached its deadline');
  });

  it('a Job that an administrator holds stays held when the user lets the run go on', async () => {
    await api.start();
    const { job, train } = await checked(api.plane, 'held-twice');
    await statusOf(api.plane, 'held-twice', 'the wait', ({ phase }) => phase === 'Pending');
    api.proxy.silent.add('jobs');
    const name = train.metadata!.name!;
    await api.plane.kubectl(['patch', 'job', name, '--type=merge', '-p', '{"spec":{"suspend":true}}']);
    await api.patch('held-twice', { suspend: true });
    await statusOf(api.plane, 'held-twice', 'the hold', ({ phase }) => phase === 'Suspended');
    await api.patch('held-twice', { suspend: false });
    await statusOf(api.plane, 'held-twice', 'the way on', ({ phase }) => phase !== 'Suspended');
    assert.equal((await stageOf(api.plane, job, 'train'))?.spec?.suspend, true);
  });
});
