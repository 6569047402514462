/**
 * Decides, and makes sure of what the decision rests on: where a cache that lags could make it do harm, the API server is
 * asked first. What the operator itself wrote, memory.ts looks after.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { jobInDoubt, podsInDoubt, withEnded } from '../decide/doubt.ts';
import type { FineTuneJob, Observed, Plan } from '../decide/plan.ts';
import { viewRun } from '../decide/run.ts';
import type { Client } from '../kube/client.ts';
import { isKind } from '../kube/errors.ts';
import { pods } from '../kube/resources.ts';
import { labels } from '../manifests/names.ts';
import { fineTuneJobs } from './resources.ts';

export type Decide = (observed: Observed, now: Date) => Plan;

/** `job` is what the plan was made from. undefined = the job is gone: its watch will tell. */
export async function decideSurely(
  observed: Observed,
  decide: Decide,
  client: Client,
  signal: AbortSignal,
): Promise<{ job: FineTuneJob; plan: Plan } | undefined> {
  const { job } = observed;
  const now = new Date();
  const run = viewRun(observed, now);
  const seen = podsInDoubt(run)
    ? { ...observed, pods: withEnded(await readPods(client, job, signal), observed.pods) }
    : observed;
  const plan = decide(seen, now);
  if (!jobInDoubt(plan, run)) return { job, plan };
  const newest = await readJob(client, job, signal);
  if (newest === undefined) return undefined;
  const isSame = newest.metadata.resourceVersion === job.metadata.resourceVersion;
  return { job: newest, plan: isSame ? plan : decide({ ...seen, job: newest }, now) };
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

/** undefined = it is gone, or another one has its name. */
async function readJob(
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
