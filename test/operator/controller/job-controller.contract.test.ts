/**
 * Operator and the real Job controller on a real API server: who stops, keeps and makes pods when a run is cancelled, held,
 * or out of memory. Only the kubelet is played.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../../operator/decide/plan.ts';
import { type Stage, stageName } from '../../../operator/manifests/names.ts';
import { createJob, eventually, list, setPodStatus } from '../api.ts';
import { endedStatus, interrupted, runningStatus, validated } from '../builders.ts';
import { endNow, stageOf, statusOf } from '../stations.ts';
import { TestApi } from '../test-api.ts';

describe('operator beside the Job controller', () => {
  const api = new TestApi('job-controller', ['job-controller', 'garbage-collector-controller']);

  const podsOf = async ({ metadata }: FineTuneJob, stage: Stage): Promise<V1Pod[]> =>
    (await list<V1Pod>(api.plane, 'pods')).filter(
      ({ metadata: pod }) => pod?.labels?.['job-name'] === stageName(metadata, '1', stage),
    );
  /** The pod that the Job controller makes next, on a node and running. */
  const nextPod = async (job: FineTuneJob, stage: Stage, known: V1Pod[] = []): Promise<V1Pod> => {
    const uids = known.map(({ metadata }) => metadata?.uid);
    const pod = await eventually(`${stage} pod`, async () =>
      (await podsOf(job, stage)).find(({ metadata }) => !uids.includes(metadata?.uid)),
    );
    // A pod that is on a node is given the time to end.
    const { name, namespace } = pod.metadata!;
    const target = { apiVersion: 'v1', kind: 'Node', name: 'node-1' };
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target };
    await api.plane.kubectl(
      ['create', '--raw', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, '-f', '-'],
      {
        input: JSON.stringify(binding),
      },
    );
    const [container] = runningStatus.containerStatuses!;
    const state = { running: { startedAt: new Date().toISOString() } };
    await setPodStatus(api.plane, name!, { ...runningStatus, containerStatuses: [{ ...container, state }] });
    return pod;
  };
  const checkedBy = async (job: FineTuneJob): Promise<void> => {
    const check = await nextPod(job, 'preflight');
    const report = { ...validated(check.metadata!.uid!), jobUid: job.metadata.uid };
    await setPodStatus(api.plane, check.metadata!.name!, endedStatus(0, report));
  };
  /** A pod that was asked to stop saves its checkpoint and is gone. */
  const stops = async (job: FineTuneJob, pod: V1Pod): Promise<void> => {
    const { name, uid } = pod.metadata!;
    await eventually('the pod is asked to stop', async () =>
      (await podsOf(job, 'train')).some(
        ({ metadata }) => metadata?.uid === uid && metadata?.deletionTimestamp !== undefined,
      ),
    );
    await endNow(api.plane, pod, endedStatus(143, { ...interrupted(uid!), jobUid: job.metadata.uid }));
    await statusOf(
      api.plane,
      job.metadata.name,
      'the checkpoint',
      ({ checkpoints }) => checkpoints?.length === 1,
    );
    await api.plane.kubectl(['delete', 'pod', name!, '--force', '--grace-period=0', '--ignore-not-found']);
  };

  it('a cancelled run: the pod saves a checkpoint, and no other pod is made', async () => {
    await api.start();
    const job = await createJob(api.plane, 'cancelled');
    await checkedBy(job);
    const pod = await nextPod(job, 'train');
    await api.patch('cancelled', { cancel: true });
    await stops(job, pod);
    await statusOf(api.plane, 'cancelled', 'the end', ({ phase }) => phase === 'Cancelled');
    await eventually('the end of the Job', async () =>
      (await stageOf(api.plane, job, 'train'))?.status?.conditions?.some(
        ({ type, reason }) => type === 'Failed' && reason === 'DeadlineExceeded',
      ),
    );
    await sleep(2000);
    assert.deepEqual(await podsOf(job, 'train'), []);
  });

  it('a train Job that is deleted and kept by a finalizer: its pod saves a checkpoint, the run goes on once the Job is gone', async () => {
    await api.start();
    const job = await createJob(api.plane, 'kept');
    await checkedBy(job);
    const pod = await nextPod(job, 'train');
    const name = stageName(job.metadata, '1', 'train');
    const finalizers = (list: string[]) =>
      api.plane.kubectl([
        'patch',
        'job',
        name,
        '--type=merge',
        '-p',
        JSON.stringify({ metadata: { finalizers: list } }),
      ]);
    await finalizers(['example.com/audit']);
    await api.plane.kubectl(['delete', 'job', name, '--wait=false']);
    await stops(job, pod);
    await finalizers([]);
    await nextPod(job, 'train', [pod]);
  });

  it('a run without budget: held after a checkpoint, and its next pod comes with a larger budget', async () => {
    await api.start();
    const job = await createJob(api.plane, 'costly', { 'spec.budget': { maxGpuHours: '0.001' } });
    await checkedBy(job);
    const pod = await nextPod(job, 'train');
    await stops(job, pod);
    await statusOf(api.plane, 'costly', 'the hold', ({ failure }) => failure?.category === 'BudgetExhausted');
    await sleep(2000);
    assert.deepEqual(await podsOf(job, 'train'), []);
    await api.patch('costly', { budget: { maxGpuHours: '1' } });
    await nextPod(job, 'train', [pod]);
    const usage = await statusOf(
      api.plane,
      'costly',
      'two attempts',
      (now) => now.usage?.attempts === 2 && now.usage,
    );
    assert.ok((usage.activeSeconds ?? 0) >= 2);
  });

  it('a trainer out of memory: another Job with smaller batches, one pod each', async () => {
    await api.start();
    const job = await createJob(api.plane, 'large');
    await checkedBy(job);
    const pod = await nextPod(job, 'train');
    const first = await stageOf(api.plane, job, 'train');
    await endNow(api.plane, pod, endedStatus(137, '', 'OOMKilled'));
    const next = await nextPod(job, 'train', [pod]);
    const second = await stageOf(api.plane, job, 'train');
    assert.notEqual(second?.metadata?.uid, first?.metadata?.uid);
    const config = JSON.parse(next.metadata?.annotations?.['finetune.dev/run-config'] ?? '');
    const { batchSize, gradientAccumulationSteps } = config.training;
    assert.deepEqual([batchSize, gradientAccumulationSteps], [8, 2]);
    await statusOf(
      api.plane,
      'large',
      'a second attempt that trains',
      (now) => now.usage?.attempts === 2 && now.phase === 'Training',
    );
  });
});
