import assert from 'node:assert/strict';
import { EventEmitter, on } from 'node:events';
import { after, describe, it, test } from 'node:test';
import type { KubernetesObject } from '@kubernetes/client-node';
import type { JobPhase } from '../../../crds/status.schema.ts';
import { Caches } from '../../../operator/controller/caches.ts';
import { fineTuneJobs } from '../../../operator/controller/resources.ts';
import type { Client } from '../../../operator/kube/client.ts';
import { Packed } from '../../../operator/kube/packed.ts';
import { Reach } from '../../../operator/kube/reach.ts';
import { jobs, pods, type Resource } from '../../../operator/kube/resources.ts';
import { createLog } from '../../../operator/log.ts';
import { aBatchJob, aJob, aPod, endedStatus, jobCondition, runningStatus } from '../builders.ts';
import { ended, running } from '../decide/worlds.ts';
import { FakeClock, settled } from '../fake-clock.ts';

/** Lists have these objects; watches bring what `say` says. */
function start(listed: Partial<Record<string, KubernetesObject[]>> = {}) {
  const lines = new EventEmitter();
  const say = async (plural: string, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubernetesObject) => {
    lines.emit(plural, { type, object: structuredClone(object) });
    await settled();
  };
  const client = {
    reach: new Reach(),
    listPage: async ({ plural }: Resource, _where: object, keep: (object: KubernetesObject) => unknown) => ({
      objects: (listed[plural] ?? []).map(keep),
      resourceVersion: '1',
      token: undefined,
    }),
    watch: async function* ({ plural }: Resource) {
      for await (const [line] of on(lines, plural)) yield line;
    },
  } as unknown as Client;
  const caches = new Caches({
    client,
    clock: new FakeClock(),
    log: createLog('error', true),
    namespace: undefined,
    observer: () => ({ listed() {}, failed() {}, event() {}, handlerFailed() {} }),
  });
  /** Until the lists are there. */
  const run = async (signal: AbortSignal) => {
    void caches.run(signal);
    while (caches.missing.length > 0) await settled();
  };
  return { caches, say, run };
}

const { caches } = start();
const isPacked = ({ entry }: { entry: { kept: object } }) => entry.kept instanceof Packed;

const inPhase = (phase: JobPhase) => ({ ...running.job, status: { ...running.job.status, phase } });

test('a FineTuneJob is packed while it has no trainer', () => {
  for (const phase of ['Pending', 'Training', 'Stopping'] as const)
    assert.equal(isPacked(caches.jobs.listed(inPhase(phase))), false, phase);
  for (const phase of ['Preflight', 'Queued', 'Suspended'] as const)
    assert.equal(isPacked(caches.jobs.listed(inPhase(phase))), true, phase);
  assert.equal(isPacked(caches.jobs.listed(aJob())), true);
  assert.equal(isPacked(caches.jobs.listed(ended.job)), true);
});

test('details are told of all jobs but those that are over or wait to be let in', () => {
  const { caches } = start();
  const all = [
    aJob(),
    ended.job,
    ...(['Preflight', 'Queued', 'Suspended', 'Training'] as const).map(inPhase),
  ];
  for (const [i, job] of all.entries())
    caches.jobs.put({ ...job, metadata: { ...job.metadata, name: `job-${i}`, uid: `uid-${i}` } });
  assert.equal(caches.telling, 3);
});

test('a Job is packed when it is complete, has failed, or is suspended', () => {
  const job = (status?: ReturnType<typeof jobCondition>) =>
    caches.batchJobs.listed(aBatchJob(aJob(), 'train', status && { status }));
  assert.equal(isPacked(job()), false);
  // It goes on: the Job controller is about to say so.
  assert.equal(isPacked(job(jobCondition('Suspended', 'JobSuspended'))), false);
  const held = { ...aBatchJob(aJob(), 'train'), spec: { template: {}, suspend: true } };
  assert.equal(isPacked(caches.batchJobs.listed(held)), true);
  assert.equal(isPacked(job(jobCondition('Complete', 'Done'))), true);
  assert.equal(isPacked(job(jobCondition('Failed', 'PodFailurePolicy'))), true);
});

test('a pod is packed when its trainer has ended, well or not', () => {
  const pod = (status: Parameters<typeof aPod>[2]) =>
    caches.pods.listed(aPod(aBatchJob(aJob(), 'train'), 'one', status));
  assert.equal(isPacked(pod(runningStatus)), false);
  assert.equal(isPacked(pod(endedStatus(0, ''))), true);
  assert.equal(isPacked(pod(endedStatus(1, ''))), true);
});

describe('changes', () => {
  const end = new AbortController();
  after(() => end.abort());
  const versioned = <T extends KubernetesObject>(object: T, resourceVersion: string): T => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion },
  });

  it('are for nobody before somebody listens, who hears of each job that is there then', async () => {
    const [one, two] = [running.job, ended.job].map((job, i) => ({
      ...job,
      metadata: { ...job.metadata, name: `job-${i}`, uid: `uid-${i}` },
    }));
    const fresh = { ...aJob(), metadata: { ...aJob().metadata, name: 'fresh', uid: 'fresh' } };
    const { caches, say, run } = start({ [fineTuneJobs.plural]: [one!, two!] });
    await run(end.signal);
    await say(fineTuneJobs.plural, 'DELETED', versioned(two!, '2'));
    await say(fineTuneJobs.plural, 'ADDED', versioned(fresh, '3'));
    const heard: [string, boolean][] = [];
    caches.listen((key, isNew) => heard.push([key.split('/')[1]!, isNew]));
    assert.deepEqual(heard, [
      ['fresh', true],
      ['job-0', false],
    ]);
    await say(fineTuneJobs.plural, 'MODIFIED', versioned(one!, '4'));
    assert.deepEqual(heard.slice(2), [['job-0', false]]);
  });

  it('of a pod that is removed after its run has ended, or before, leave nothing behind in memory', async () => {
    const train = aBatchJob(aJob(), 'train');
    const pod = aPod(train, 'one', endedStatus(0, ''));
    const { metadata } = running.job;
    const { caches, say, run } = start({ [fineTuneJobs.plural]: [running.job], [pods.plural]: [pod] });
    await run(end.signal);
    await say(pods.plural, 'DELETED', versioned(pod, '2'));
    assert.equal(caches.podsOf(metadata).length, 1, 'the run is not over: what it said counts');
    await say(fineTuneJobs.plural, 'MODIFIED', versioned(ended.job, '3'));
    assert.deepEqual(caches.podsOf(metadata), []);
    await say(pods.plural, 'ADDED', versioned(pod, '4'));
    await say(pods.plural, 'DELETED', versioned(pod, '5'));
    assert.deepEqual(caches.podsOf(metadata), []);
  });

  it('in another namespace concern nobody, whoever is said to own what changes there', async () => {
    const { uid } = running.job.metadata;
    const owner = {
      apiVersion: 'finetune.dev/v1alpha1',
      kind: 'FineTuneJob',
      name: 'x',
      uid,
      controller: true,
    };
    const train = aBatchJob(aJob(), 'train', { metadata: { ownerReferences: [owner] } });
    const abroad = <T extends KubernetesObject>(object: T): T => ({
      ...object,
      metadata: { ...object.metadata, namespace: 'elsewhere', resourceVersion: '1' },
    });
    const pod = abroad(aPod(train, 'one', endedStatus(0, '')));
    const { caches, say, run } = start({ [fineTuneJobs.plural]: [running.job] });
    await run(end.signal);
    const heard: string[] = [];
    caches.listen((key) => heard.push(key));
    await say(pods.plural, 'ADDED', pod);
    await say(jobs.plural, 'ADDED', abroad(train));
    assert.deepEqual(
      [caches.podsOf(running.job.metadata), caches.batchJobsOf(running.job.metadata)],
      [[], []],
    );
    await say(pods.plural, 'DELETED', versioned(pod, '2'));
    assert.deepEqual(caches.podsOf(running.job.metadata), []);
    assert.equal(heard.length, 1, 'that it is there');
    await say(jobs.plural, 'ADDED', versioned(train, '3'));
    assert.equal(caches.batchJobsOf(running.job.metadata).length, 1);
    assert.equal(heard.length, 2);
  });
});
