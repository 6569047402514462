/** Interruptions on the cluster: whatever is killed in the middle, the run ends with the very same numbers. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { waitFor } from '../cluster/wait.ts';
import { applyJobs, condition, fineTuneJob, getJob, type Job, waitForEnd, waitForJob } from './jobs.ts';
import { operatorNamespace } from './platform.ts';
import { type Platform, sharedPlatform } from './shared-platform.ts';

const namespace = 'interruption';
let platform: Platform;
/** What every other job is held to; it runs beside the first of them. */
let undisturbed: Promise<Job>;

/** Long enough to be broken into; the checkpoint spacing leaves steps to be done again after each interruption. */
const changes = { training: { epochs: '2' }, checkpoints: { everySteps: 7 } };

const trainingFrom = (step: number) => (job: Job) => (job.status?.progress?.step ?? 0) >= step;

async function trainPods(name: string): Promise<string[]> {
  const names = await platform.cluster.kubectl([
    'get',
    'pods',
    '-n',
    namespace,
    '-l',
    `finetune.dev/job=${name},finetune.dev/stage=train`,
    '-o',
    'name',
  ]);
  return names.split('\n').filter((line) => line !== '');
}

async function assertSameNumbers(job: Job): Promise<void> {
  const { status: want } = await undisturbed;
  assert.equal(want?.phase, 'Succeeded', JSON.stringify(want?.failure));
  assert.equal(job.status?.phase, 'Succeeded', JSON.stringify(job.status?.failure));
  assert.deepEqual(job.status?.history, want?.history);
  assert.deepEqual(job.status?.evaluation, want?.evaluation);
  assert.equal(job.status?.result?.digest, want?.result?.digest);
}

before(async () => {
  platform = await sharedPlatform(namespace);
  await applyJobs(platform.cluster, fineTuneJob(platform.cluster, namespace, 'undisturbed', changes));
  undisturbed = waitForEnd(platform.cluster, namespace, 'undisturbed');
  // Every test that needs it waits for it, and fails with its error.
  undisturbed.catch(() => undefined);
});

after(async () => {
  await platform.cluster.kubectl(['delete', 'finetunejobs', '--all', '-n', namespace], {
    allowFailure: true,
  });
  platform.buckets.close();
});

// Two at a time, one for each accelerator of the node.
suite('jobs that are broken into', { concurrency: 2 }, () => {
  test('a pod deleted in the middle goes on from its checkpoint to the same model', async () => {
    const { cluster } = platform;
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'deleted', changes));
    await waitForJob(cluster, namespace, 'deleted', 'in training', trainingFrom(9));
    await cluster.kubectl(['delete', ...(await trainPods('deleted')), '-n', namespace]);
    const job = await waitForEnd(cluster, namespace, 'deleted');
    await assertSameNumbers(job);
    assert.equal(job.status?.usage?.attempts, 2);
    assert.ok((job.status?.resumedFromStep ?? 0) >= 7, `resumed from step ${job.status?.resumedFromStep}`);
  });

  test('a pod killed without warning goes on from its checkpoint to the same model', async () => {
    const { cluster } = platform;
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'killed', changes));
    await waitForJob(cluster, namespace, 'killed', 'in training', trainingFrom(10));
    await cluster.kubectl([
      'delete',
      ...(await trainPods('killed')),
      '-n',
      namespace,
      '--grace-period=0',
      '--force',
    ]);
    const job = await waitForEnd(cluster, namespace, 'killed');
    await assertSameNumbers(job);
    assert.equal(
      (job.status?.resumedFromStep ?? 1) % 7,
      0,
      `resumed from step ${job.status?.resumedFromStep}`,
    );
  });

  test('suspend frees the accelerator and resume goes on from the checkpoint', async () => {
    const { cluster } = platform;
    const patch = (suspend: boolean) =>
      cluster.kubectl([
        'patch',
        'finetunejob',
        'suspended',
        '-n',
        namespace,
        '--type=merge',
        '-p',
        JSON.stringify({ spec: { suspend } }),
      ]);
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'suspended', changes));
    await waitForJob(cluster, namespace, 'suspended', 'in training', trainingFrom(4));
    await patch(true);
    await waitForJob(
      cluster,
      namespace,
      'suspended',
      'suspended',
      (job) => job.status?.phase === 'Suspended',
    );
    const freed = async () => (await trainPods('suspended')).length === 0;
    await waitFor('the pod of the suspended job to end', freed, { timeoutMs: 60_000, intervalMs: 500 });
    await patch(false);
    const job = await waitForEnd(cluster, namespace, 'suspended');
    await assertSameNumbers(job);
    assert.equal(condition(job, 'Suspended'), 'False');
  });

  test('deleting a job in the middle removes everything that it made', async () => {
    const { cluster } = platform;
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'gone', changes));
    await waitForJob(cluster, namespace, 'gone', 'in training', trainingFrom(2));
    await cluster.kubectl(['delete', 'finetunejob', 'gone', '-n', namespace]);
    const left = async () =>
      cluster.kubectl([
        'get',
        'jobs,pods,configmaps',
        '-n',
        namespace,
        '-l',
        'finetune.dev/job=gone',
        '-o',
        'name',
      ]);
    const nothing = async () => (await left()).trim() === '';
    await waitFor('what the job made to be removed', nothing, { timeoutMs: 120_000, intervalMs: 500 });
  });
});

// After the others: what is counted there is one operator's work.
suite('an operator that is killed', { concurrency: 2 }, () => {
  test('an operator killed in the middle loses nothing and starts no second run', async () => {
    const { cluster } = platform;
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'orphan', changes));
    await waitForJob(cluster, namespace, 'orphan', 'in training', trainingFrom(3));
    const pods = await trainPods('orphan');
    await cluster.kubectl([
      'delete',
      'pods',
      '--all',
      '-n',
      operatorNamespace,
      '--grace-period=0',
      '--force',
    ]);
    const job = await waitForEnd(cluster, namespace, 'orphan');
    await assertSameNumbers(job);
    assert.deepEqual(await trainPods('orphan'), pods);
    assert.equal(job.status?.usage?.attempts, 1);
  });

  test('a changed spec needs a new runId, which starts a new run', async () => {
    const { cluster } = platform;
    await undisturbed;
    const change = { ...changes, training: { epochs: '0.5' } };
    await assert.rejects(applyJobs(cluster, fineTuneJob(cluster, namespace, 'undisturbed', change)), /runId/);
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'undisturbed', { ...change, runId: '2' }));
    const done = (job: Job) => job.status?.runId === '2' && job.status.completionTime !== undefined;
    const job = await waitForJob(cluster, namespace, 'undisturbed', 'run again', done);
    assert.equal(job.status?.phase, 'Succeeded', JSON.stringify(job.status?.failure));
    assert.equal(job.status?.progress?.totalSteps, 15);
    assert.equal((await getJob(cluster, namespace, 'undisturbed')).status?.usage?.attempts, 1);
  });
});
