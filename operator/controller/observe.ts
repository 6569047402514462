/** Collects what a decision about one job is made from. */
import type { V1Job } from '@kubernetes/client-node';
import { type FineTuneJob, isOwn, type Observed } from '../decide/plan.ts';
import { jobs } from '../kube/resources.ts';
import { controllerUid, keyOf } from '../kube/store.ts';
import type { Caches } from './caches.ts';
import type { Memory } from './memory.ts';
import { fineTuneJobs } from './resources.ts';

export type ObserveDependencies = {
  caches: Caches;
  memory: Memory;
  progressOf: (jobUid: string) => Observed['progress'];
};

/**
 * From the caches, and from the API server where they are behind our own writes. undefined = there is no such job any
 * more, or it is another controller's.
 */
export async function observe(
  key: string,
  { caches, memory, progressOf }: ObserveDependencies,
  signal: AbortSignal,
): Promise<Observed | undefined> {
  const cached = caches.jobs.get(key);
  if (cached === undefined || !isOwn(cached)) return undefined;
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
  return {
    job,
    runtime: caches.runtimes.get(keyOf({ metadata: { name: job.spec.runtimeRef.name } })),
    batchJobs: await batchJobsOf(job.metadata, caches, memory, signal),
    pods: caches.podsOf(job.metadata),
    foreign: await memory.foreign(uid, signal),
    refusals: memory.refusals(uid),
    progress: progressOf(uid),
  };
}

async function batchJobsOf(
  metadata: FineTuneJob['metadata'],
  caches: Caches,
  memory: Memory,
  signal: AbortSignal,
): Promise<V1Job[]> {
  const { uid } = metadata;
  const known = new Map(caches.batchJobsOf(metadata).map((job) => [keyOf(job), job]));
  const fresh = await memory.fresh<V1Job>(uid, jobs, (key) => caches.batchJobs.get(key), signal);
  for (const [key, job] of fresh) {
    if (job !== undefined && controllerUid(job) === uid) known.set(key, job);
    else known.delete(key);
  }
  return [...known.values()];
}
