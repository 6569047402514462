/**
 * A queue such as Kueue admits and evicts train Jobs by writing `suspend` and where their pods may run. Played here on a
 * real API server, which keeps who owns which field: what the queue owns, the operator never writes back.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Job } from '@kubernetes/client-node';
import { eventually } from '../api.ts';
import { checked, interrupt, stageOf, startTrainer, statusOf, succeed } from '../stations.ts';
import { TestApi } from '../test-api.ts';

const labels = { 'kueue.x-k8s.io/queue-name': 'team-a', 'kueue.x-k8s.io/priority-class': 'high' };
const toleration = { key: 'spot', operator: 'Exists', effect: 'NoSchedule' };

describe('a queue on a real API server', () => {
  const api = new TestApi('queue');

  /** The queue writes. */
  const queueWrites = (job: V1Job, patch: object) =>
    api.plane.kubectl([
      'patch',
      'job',
      job.metadata!.name!,
      '--type=merge',
      '--field-manager=kueue',
      '-p',
      JSON.stringify(patch),
    ]);
  const admit = (job: V1Job, pool: string) =>
    queueWrites(job, {
      metadata: { annotations: { 'kueue.x-k8s.io/admitted': pool } },
      spec: {
        suspend: false,
        template: { spec: { nodeSelector: { pool }, tolerations: [toleration] } },
      },
    });
  const evict = async (job: V1Job) => {
    await queueWrites(job, { spec: { suspend: true } });
    const restored = { nodeSelector: null, tolerations: null };
    await queueWrites(job, { spec: { template: { spec: restored } } });
  };
  /** Paths below `spec` that a writer owns. */
  const owned = async (job: V1Job, manager: string): Promise<string[]> => {
    const text = await api.plane.kubectl([
      ...['get', 'job', job.metadata!.name!, '-o', 'json', '--show-managed-fields'],
    ]);
    const { managedFields = [] } = (JSON.parse(text) as V1Job).metadata!;
    const fields = managedFields.filter((entry) => entry.manager === manager);
    return fields.flatMap(({ fieldsV1 }) => pathsOf((fieldsV1 as { 'f:spec'?: object })['f:spec'] ?? {}));
  };
  const writesOn = (job: V1Job) =>
    api.proxy.writes.filter(({ path }) => path.endsWith(`/jobs/${job.metadata!.name}`));
  const phaseIs = (name: string, phase: string) =>
    statusOf(api.plane, name, phase, (status) => status.phase === phase);

  it('admits, evicts and admits again; the operator writes nothing of that back', async () => {
    await api.start();
    const { job, train } = await checked(api.plane, 'queued', {}, labels);
    assert.equal(train.spec?.suspend, true);
    for (const [label, value] of Object.entries(labels)) assert.equal(train.metadata?.labels?.[label], value);
    await phaseIs('queued', 'Queued');

    await admit(train, 'spot');
    const first = { job, train, pod: await startTrainer(api.plane, train) };
    await phaseIs('queued', 'Training');
    assert.equal(
      (await stageOf(api.plane, job, 'train'))?.spec?.template.spec?.nodeSelector?.['pool'],
      'spot',
    );

    await evict(train);
    await interrupt(api.plane, first);
    await phaseIs('queued', 'Queued');
    await api.plane.kubectl(['delete', 'pod', first.pod.metadata!.name!, '--force', '--grace-period=0']);
    await sleep(1500);

    await admit(train, 'on-demand');
    const second = { job, train, pod: await startTrainer(api.plane, train) };
    await phaseIs('queued', 'Training');
    const mine = await owned(train, 'finetune-operator');
    assert.ok(mine.includes('f:backoffLimit'), 'the operator owns what it made');
    for (const path of ['f:suspend', 'f:nodeSelector', 'f:tolerations']) {
      assert.deepEqual(
        mine.filter((one) => one.includes(path)),
        [],
      );
      const theirs = await owned(train, 'kueue');
      assert.ok(
        theirs.some((one) => one.includes(path)),
        `the queue owns ${path}`,
      );
    }
    await succeed(api.plane, second);
    const status = await statusOf(api.plane, 'queued', 'the attempts', ({ usage }) => usage);
    assert.equal(status.attempts, 2);
    assert.deepEqual(writesOn(train), []);
  });

  it('evicts a Job that was asked to end: the Job goes with its run, and cannot be admitted again', async () => {
    await api.start();
    const { job, train } = await checked(api.plane, 'evicted', {}, labels);
    await admit(train, 'spot');
    const pod = await startTrainer(api.plane, train);
    await phaseIs('evicted', 'Training');
    await api.patch('evicted', { cancel: true });
    await eventually(
      'the Job is to end',
      async () => (await stageOf(api.plane, job, 'train'))?.spec?.activeDeadlineSeconds === 1,
    );
    // No Job controller has looked at it yet.
    await evict(train);
    await interrupt(api.plane, { job, train, pod });
    await phaseIs('evicted', 'Cancelled');
    await eventually('no Job', async () => (await stageOf(api.plane, job, 'train')) === undefined);
  });

  it('gets its quota back when the user suspends a run, and decides again when it is resumed', async () => {
    await api.start();
    const { job, train } = await checked(api.plane, 'suspended', {}, labels);
    await admit(train, 'spot');
    const pod = await startTrainer(api.plane, train);
    await phaseIs('suspended', 'Training');
    const suspend = (value: boolean) => api.patch('suspended', { suspend: value });
    await suspend(true);
    await eventually('no Job', async () => (await stageOf(api.plane, job, 'train')) === undefined);
    await interrupt(api.plane, { job, train, pod });
    await phaseIs('suspended', 'Suspended');
    // The pod of the deleted Job still tells what it saved.
    await statusOf(api.plane, 'suspended', 'the checkpoint', ({ checkpoints }) => checkpoints?.length === 1);
    await api.plane.kubectl(['delete', 'pod', pod.metadata!.name!, '--force', '--grace-period=0']);
    await suspend(false);
    const next = await eventually('the next Job', () => stageOf(api.plane, job, 'train'));
    assert.equal(next.spec?.suspend, true);
    assert.notEqual(next.metadata?.uid, train.metadata?.uid);
    assert.deepEqual(
      writesOn(train).map(({ method }) => method),
      ['DELETE'],
    );
  });
});

/** "f:template/f:spec/f:nodeSelector": the leaves and all above them. */
function pathsOf(fields: object, above = ''): string[] {
  return Object.entries(fields).flatMap(([name, inner]) => {
    const path = `${above}${name}`;
    return [path, ...pathsOf(inner as object, `${path}/`)];
  });
}
