/** What a user may ask of a run, and how runs end, on a real API server. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Job } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import { createJob, eventually, list, read, runPod } from '../api.ts';
import { unschedulable } from '../builders.ts';
import { checked, interrupt, stageOf, statusOf, succeed, training } from '../stations.ts';
import { TestApi } from '../test-api.ts';

describe('lifecycle on a real API server', () => {
  const api = new TestApi('job-lifecycle');
  afterEach(() => assert.deepEqual(api.refused(), []));

  it('runs no child again that is deleted after the end, and keeps the finished status', async () => {
    await api.start();
    const run = await training(api.plane, 'kept');
    await succeed(api.plane, run);
    const { status } = (await read<FineTuneJob>(api.plane, 'ftj', 'kept'))!;
    await api.plane.kubectl(['delete', 'jobs,pods', '--all', '--force', '--grace-period=0']);
    await api.stop();
    await api.start();
    await sleep(2000);
    assert.deepEqual(await list<V1Job>(api.plane, 'jobs'), []);
    assert.deepEqual((await read<FineTuneJob>(api.plane, 'ftj', 'kept'))?.status, status);
  });

  it('cancels a run: first the checkpoint, then the end, and nothing starts again', async () => {
    await api.start();
    const run = await training(api.plane, 'cancelled');
    await api.patch('cancelled', { cancel: true });
    await statusOf(api.plane, 'cancelled', 'the stop', ({ phase }) => phase === 'Stopping');
    const stopped = await eventually('the end of the Job', async () => {
      const job = await stageOf(api.plane, run.job, 'train');
      return job?.spec?.activeDeadlineSeconds === 1 && job;
    });
    await interrupt(api.plane, run);
    const status = await statusOf(
      api.plane,
      'cancelled',
      'the end',
      (now) => now.phase === 'Cancelled' && now,
    );
    assert.equal(status.checkpoints?.[0]?.step, 20);
    await api.plane.kubectl(['wait', 'ftj/cancelled', '--for=condition=Failed', '--timeout=60s']);
    await assert.rejects(api.patch('cancelled', { cancel: false }), /cannot be taken up again/);
    await api.plane.kubectl(['delete', 'job', stopped.metadata!.name!, '--cascade=background']);
    await sleep(1500);
    assert.equal(await stageOf(api.plane, run.job, 'train'), undefined);
  });

  it('stops a trainer at its deadline and at its budget, both without a word from it', async () => {
    await api.start();
    const late = await training(api.plane, 'late');
    await api.patch('late', { activeDeadlineSeconds: 3 });
    const costly = await training(api.plane, 'costly');
    // 0.002 hours are 7.2 seconds; half of them is kept for the checkpoint.
    await api.patch('costly', { budget: { maxGpuHours: '0.002' } });
    await statusOf(api.plane, 'late', 'the stop', ({ phase }) => phase === 'Stopping');
    assert.equal((await stageOf(api.plane, late.job, 'train'))?.spec?.activeDeadlineSeconds, 1);
    await interrupt(api.plane, late);
    const failed = await statusOf(api.plane, 'late', 'the end', (now) => now.phase === 'Failed' && now);
    assert.equal(failed.failure?.category, 'DeadlineExceeded');

    const reason = ({ failure }: NonNullable<FineTuneJob['status']>) => failure?.category;
    await statusOf(api.plane, 'costly', 'the hold', (now) => reason(now) === 'BudgetExhausted');
    assert.match(await api.scrape(), /^finetune_job_gpu_seconds\{[^}]*name="costly"\} [4-7]$/m);
    assert.equal((await stageOf(api.plane, costly.job, 'train'))?.spec?.suspend, true);
    await interrupt(api.plane, costly);
    await api.patch('costly', { budget: { maxGpuHours: '1' } });
    await eventually('the next attempt', async () => {
      const job = await stageOf(api.plane, costly.job, 'train');
      return job?.spec?.suspend === false;
    });
    assert.equal((await stageOf(api.plane, costly.job, 'train'))?.metadata?.uid, costly.train.metadata?.uid);
  });

  it('gives up on a run that waits too long, and says what it waited for', async () => {
    await api.start();
    const { job, train } = await checked(api.plane, 'waiting');
    await runPod(api.plane, train, unschedulable('0/3 nodes are available: 3 Insufficient nvidia.com/gpu.'));
    // Not before: a slow machine would reach it on the way here.
    await api.patch('waiting', { pendingDeadlineSeconds: 1 });
    const { failure } = await statusOf(
      api.plane,
      'waiting',
      'the end',
      (now) => now.phase === 'Failed' && now,
    );
    assert.equal(failure?.category, 'PendingDeadlineExceeded');
    assert.match(failure.message, /Insufficient nvidia\.com\/gpu/);
    assert.equal((await stageOf(api.plane, job, 'train'))?.spec?.activeDeadlineSeconds, 1);
  });

  it('deletes a job when its time to live is over, and not the one that is asked to stay', async () => {
    await api.start();
    const passing = await training(api.plane, 'passing');
    const staying = await training(api.plane, 'staying', { 'spec.ttlSecondsAfterFinished': 10 });
    await succeed(api.plane, staying);
    // Its end is said by now, so its time to live is over before this.
    const over = Date.now() + 11_000;
    await api.patch('staying', { ttlSecondsAfterFinished: null });

    await succeed(api.plane, passing);
    const { completionTime } = (await read<FineTuneJob>(api.plane, 'ftj', 'passing'))!.status!;
    await api.patch('passing', { ttlSecondsAfterFinished: 5 });
    await eventually('deletion', async () => (await read(api.plane, 'ftj', 'passing')) === undefined);
    assert.ok(Date.now() >= Date.parse(completionTime!) + 5000, 'it is kept for its time to live');
    await sleep(Math.max(0, over - Date.now()));
    assert.ok(await read(api.plane, 'ftj', 'staying'));
    assert.ok(await stageOf(api.plane, staying.job, 'train'));
  });

  it('stops the trainer of a deleted job that a finalizer of somebody else keeps', async () => {
    await api.start();
    const run = await training(api.plane, 'kept-back');
    const finalizers = (list: string[]) =>
      api.plane.kubectl([
        ...['patch', 'ftj', 'kept-back', '--type=merge', '-p'],
        JSON.stringify({ metadata: { finalizers: list } }),
      ]);
    await finalizers(['example.com/audit']);
    await api.plane.kubectl(['delete', 'ftj', 'kept-back', '--wait=false']);
    await eventually('the end of the Job', async () => {
      const job = await stageOf(api.plane, run.job, 'train');
      return job?.spec?.activeDeadlineSeconds === 1;
    });
    await finalizers([]);
    await eventually('deletion', async () => (await read(api.plane, 'ftj', 'kept-back')) === undefined);
  });

  it('leaves a job of another controller alone: no request, no Job, no series', async () => {
    await api.start();
    const foreign = await createJob(api.plane, 'foreign', { 'spec.managedBy': 'example.com/other' });
    const since = api.proxy.requests.length;
    const own = await createJob(api.plane, 'own');
    await eventually('a Job', () => stageOf(api.plane, own, 'preflight'));
    await statusOf(api.plane, 'own', 'a status', ({ phase }) => phase);
    const metrics = await api.scrape();
    assert.match(metrics, /^finetune_job_info\{.*name="own"/m);
    assert.doesNotMatch(metrics, /name="foreign"/);
    assert.equal(await stageOf(api.plane, foreign, 'preflight'), undefined);
    const about = api.proxy.requests.slice(since).filter(({ path }) => path.includes('foreign'));
    assert.deepEqual(about, []);
  });
});
