/**
 * Decides, and makes sure of what the decision rests on: where a cache that lags could make it do harm, the API server is
 * asked first. What the operator itself wrote, memory.ts looks after.
 */
import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import { planInDoubt, podsInDoubt, withEnded } from '../decide/doubt.ts';
import type { FineTuneJob, FineTuneRuntime, Observed, Plan } from '../decide/plan.ts';
import { type Run, viewRun } from '../decide/run.ts';
import { type Client, find } from '../kube/client.ts';
import { jobs, pods, type Resource } from '../kube/resources.ts';
import { controllerUid } from '../kube/store.ts';
import { labels } from '../manifests/names.ts';
import { fineTuneJobs, fineTuneRuntimes } from './resources.ts';

export type Decide = (observed: Observed, now: Date, run?: Run) => Plan;

/**
 * `job` is what the plan was made from. undefined = the job is gone: its watch will tell.
 * @param since when this process began to see to jobs
 */
export async function decideSurely(
  observed: Observed,
  decide: Decide,
  client: Client,
  signal: AbortSignal,
  since: Date,
): Promise<{ job: FineTuneJob; plan: Plan } | undefined> {
  const now = new Date();
  const first = viewRun(observed, now);
  const isSure = !podsInDoubt(first);
  const seen = isSure ? observed : { ...observed, pods: await readPods(client, observed, signal) };
  const run = isSure ? first : viewRun(seen, now);
  const plan = decide(seen, now, run);
  if (!planInDoubt(plan, run, since)) return { job: seen.job, plan };
  const anew = await readAnew(client, seen, signal);
  return anew && { job: anew.job, plan: decide(anew, now) };
}

/** Everything that is watched, as it is now. undefined = the job is gone, or another one has its name. */
async function readAnew(
  client: Client,
  observed: Observed,
  signal: AbortSignal,
): Promise<Observed | undefined> {
  const { namespace, name, uid } = observed.job.metadata;
  // Jobs before their pods: how a Job came to its end, its pods tell that are as new as it is.
  const batchJobs = await readChildren<V1Job>(client, jobs, observed, signal);
  const livePods = await readPods(client, observed, signal);
  const job = await find<FineTuneJob>(client, fineTuneJobs, { namespace, name }, signal);
  if (job?.metadata.uid !== uid) return undefined;
  const runtimeRef = { name: job.spec.runtimeRef.name };
  return {
    ...observed,
    job,
    runtime: await find<FineTuneRuntime>(client, fineTuneRuntimes, runtimeRef, signal),
    batchJobs: batchJobs.filter((one) => controllerUid(one) === uid),
    pods: livePods,
  };
}

async function readPods(client: Client, observed: Observed, signal: AbortSignal): Promise<V1Pod[]> {
  return withEnded(await readChildren<V1Pod>(client, pods, observed, signal), observed.pods);
}

async function readChildren<T extends KubernetesObject>(
  client: Client,
  resource: Resource,
  { job: { metadata } }: Observed,
  signal: AbortSignal,
): Promise<T[]> {
  const selector = `${labels.jobUid}=${metadata.uid}`;
  const where = { namespace: metadata.namespace, selector };
  return (await client.listPage(resource, where, (object: T) => object, signal)).objects;
}
