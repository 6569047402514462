/** Collects what a decision about one job is made from. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { podsInDoubt } from '../decide/doubt.ts';
import type { FineTuneJob, Observed } from '../decide/plan.ts';
import { viewRun } from '../decide/run.ts';
import type { Client } from '../kube/client.ts';
import { isKind } from '../kube/errors.ts';
import { jobs, pods } from '../kube/resources.ts';
import { controllerUid, keyOf } from '../kube/store.ts';
import { labels } from '../manifests/names.ts';
import type { Caches } from './caches.ts';
import type { Memory } from './memory.ts';
import { fineTuneJobs } from './resources.ts';

export type ObserveDependencies = {
  client: Client;
  caches: Caches;
  memory: Memory;
  progressOf: (jobUid: string) => Observed['progress'];
};

/**
 * undefined = there is no such job any more. Reads the API server only where a cache is behind our own writes, and
 * where a pod that was overlooked would do harm.
 */
export async function observe(
  key: string,
  { client, caches, memory, progressOf }: ObserveDependencies,
  signal: AbortSignal,
): Promise<Observed | undefined> {
  const cached = caches.jobs.get(key);
  if (cached === undefined) return undefined;
  const cachedUid = cached.metadata.uid;
  const freshJobs = await memory.fresh<FineTuneJob>(
    cachedUid,
    fineTuneJobs,
    (k) => caches.jobs.get(k),
    signal,
  );
  const job = freshJobs.has(key) ? freshJobs.get(key) : cached;
  // Gone, or made anew under the same name: the watch will tell about the new one.
  if (job === undefined || job.metadata.uid !== cachedUid) return undefined;
  const { uid } = job.metadata;
  const observed: Observed = {
    job,
    runtime: caches.runtimes.get(keyOf({ metadata: { name: job.spec.runtimeRef.name } })),
    batchJobs: await batchJobsOf(uid, caches, memory, signal),
    pods: caches.pods.by('job', uid),
    foreign: await memory.foreign(uid, signal),
    progress: progressOf(uid),
  };
  if (!podsInDoubt(viewRun(observed, new Date()))) return observed;
  return { ...observed, pods: await readPods(client, job, signal) };
}

/** The job as the API server has it; undefined = it is gone, or another one has its name: the watch will tell. */
export async function newestJob(
  client: Client,
  { metadata }: FineTuneJob,
  signal: AbortSignal,
): Promise<FineTuneJob | undefined> {
  const { namespace, name, uid } = metadata;
  try {
    const job = await client.get<FineTuneJob>(fineTuneJobs, { namespace, name }, signal);
    return job.metadata.uid === uid ? job : undefined;
  } catch (error) {
    if (isKind(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function readPods(client: Client, { metadata }: FineTuneJob, signal: AbortSignal): Promise<V1Pod[]> {
  const { namespace, uid } = metadata;
  const { objects } = await client.listPage<V1Pod>(
    pods,
    { namespace, selector: `${labels.jobUid}=${uid}` },
    signal,
  );
  return objects;
}

async function batchJobsOf(
  uid: string,
  caches: Caches,
  memory: Memory,
  signal: AbortSignal,
): Promise<V1Job[]> {
  const known = new Map(caches.batchJobs.by('owner', uid).map((job) => [keyOf(job), job]));
  const fresh = await memory.fresh<V1Job>(uid, jobs, (key) => caches.batchJobs.get(key), signal);
  for (const [key, job] of fresh) {
    if (job !== undefined && controllerUid(job) === uid) known.set(key, job);
    else known.delete(key);
  }
  return [...known.values()];
}
