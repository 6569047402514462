/** Does what a plan says: actions, then the status, then the events. */
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesObject } from '@kubernetes/client-node';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { triedOf } from '../decide/checks/refused.ts';
import { isStep, withoutDetails, withoutSteps } from '../decide/detail.ts';
import type { Action, FineTuneJob, JobEvent, Plan } from '../decide/plan.ts';
import { present } from '../decide/present.ts';
import type { Client } from '../kube/client.ts';
import { ApiError, isKind } from '../kube/errors.ts';
import { controllerUid } from '../kube/store.ts';
import type { Log } from '../log.ts';
import { type Memory, watchMs } from './memory.ts';
import type { Answer } from './refusals.ts';
import { fineTuneJobs, managedResource } from './resources.ts';

export type ExecuteDependencies = {
  client: Client;
  memory: Memory;
  record: (job: FineTuneJob, event: JobEvent) => void;
};

/**
 * `wrote`: the status was changed. `again`: the world is not what the plan was made from, so the status was left alone;
 * decide anew. `refused`: so it is, and the API server has refused for so long now that it is news: decide at once.
 * `laterMs`: what is new may wait, and is to be written after so long if nothing else was written before.
 */
export type Outcome = 'wrote' | 'unchanged' | 'again' | 'refused' | { laterMs: number };

export async function execute(
  job: FineTuneJob,
  plan: Plan,
  dependencies: ExecuteDependencies,
  log: Log,
  signal: AbortSignal,
): Promise<Outcome> {
  dependencies.memory.planned(job.metadata.uid, [...plan.actions, ...(plan.withheld ?? [])]);
  for (const action of plan.actions) {
    const outcome = await attempt(job, action, dependencies, log, signal);
    if (outcome !== 'done') return outcome;
  }
  const status = JSON.parse(JSON.stringify(plan.status)) as FineTuneJobStatus;
  if (isDeepStrictEqual(status, job.status ?? {})) return 'unchanged';
  const laterMs = delayOf(job, plan, status, dependencies);
  if (laterMs > 0) return { laterMs };
  await writeStatus(job, status, dependencies, signal);
  log.info('wrote status', { phase: status.phase, step: status.progress?.step });
  for (const event of plan.events) dependencies.record(job, event);
  return 'wrote';
}

/** Milliseconds for which the status may wait to be written. */
function delayOf(
  { metadata, status }: FineTuneJob,
  plan: Plan,
  wanted: FineTuneJobStatus,
  { memory }: ExecuteDependencies,
): number {
  if (plan.actions.length > 0) {
    // A new run has its Job; what is said about it comes after the Jobs of other new runs.
    return plan.actions.every(isCreate) && status?.runId !== wanted.runId ? watchMs : 0;
  }
  if (status === undefined) return 0;
  const essence = withoutDetails(wanted);
  if (essence === undefined) return 0;
  if (isDeepStrictEqual(withoutDetails(status), essence)) return memory.untilDetailMs(metadata.uid);
  const isOnItsWay = isStep(status, wanted) && isDeepStrictEqual(withoutSteps(status), withoutSteps(wanted));
  return isOnItsWay ? memory.untilStepMs(metadata.uid) : 0;
}

const isCreate = ({ kind }: Action) => kind === 'create';

/** What the API server does not take is remembered: decided on again, the status says so, and the next try has time. */
async function attempt(
  job: FineTuneJob,
  action: Action,
  dependencies: ExecuteDependencies,
  log: Log,
  signal: AbortSignal,
): Promise<'done' | 'again' | 'refused'> {
  try {
    return await perform(job, action, dependencies, log, signal);
  } catch (error) {
    const outcome = remember(job, action, error, dependencies);
    if (outcome === undefined) throw error;
    const { kind, name } = triedOf(action);
    log.warn('the API server does not take an action', { action: kind, object: name, error: `${error}` });
    return outcome;
  }
}

/** undefined = it is neither a refusal, nor has it failed for so long that it is as good as one. */
function remember(
  job: FineTuneJob,
  action: Action,
  error: unknown,
  { memory }: ExecuteDependencies,
): 'again' | 'refused' | undefined {
  const { uid } = job.metadata;
  if (isRefusal(error)) return memory.refused(uid, action, answerOf(error)) ? 'refused' : 'again';
  if (!isFailure(error) || isOver(job)) return undefined;
  const lasting = memory.failed(uid, action, answerOf(error));
  if (lasting === 'passing') return undefined;
  return lasting === 'news' ? 'refused' : 'again';
}

/** The operator is known, and what it asks for is not allowed, not valid, or not looked at: the same would be refused again. */
function isRefusal(error: unknown): error is ApiError {
  return isKind(error, 'Forbidden', 'Invalid', 'WebhookFailed');
}

/** No answer came, or the server has other troubles. Who lost the lease or gave up was not failed by it. */
function isFailure(error: unknown): error is ApiError {
  return isKind(error, 'Unavailable', 'TooManyRequests');
}

/** Nothing is left to be told: what fails is tried again by the back-off alone. */
function isOver({ metadata, spec, status }: FineTuneJob): boolean {
  const hasEnded = status?.runId === spec.runId && status.completionTime !== undefined;
  return hasEnded || metadata.deletionTimestamp !== undefined;
}

function answerOf({ answer, message, retryAfterMs }: ApiError): Answer {
  return { answer: answer ?? message, retryAfterMs };
}

async function perform(
  job: FineTuneJob,
  action: Action,
  dependencies: ExecuteDependencies,
  log: Log,
  signal: AbortSignal,
): Promise<'done' | 'again'> {
  const { client, memory } = dependencies;
  const { namespace, uid: jobUid } = job.metadata;
  if (action.kind === 'create') return create(job, action.object, dependencies, log, signal);
  const { name, uid } = action;
  const resource = managedResource(action.apiVersion, action.objectKind);
  const ref = { namespace, name };
  try {
    if (action.kind === 'patch') {
      const { resourceVersion, patch } = action;
      const guard = { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
      const metadata = { ...(patch as KubernetesObject).metadata, ...guard };
      memory.wrote(jobUid, resource, await client.patch(resource, ref, { ...patch, metadata }, signal));
      log.info('patched', { kind: resource.kind, object: name });
    } else {
      const { resourceVersion } = action;
      await client.delete(resource, ref, present({ uid, resourceVersion }), signal);
      memory.deleted(jobUid, resource, ref, uid);
      log.info('deleted', { kind: resource.kind, object: name, because: action.because });
    }
    return 'done';
  } catch (error) {
    if (isKind(error, 'NotFound')) memory.deleted(jobUid, resource, ref, uid);
    else if (isKind(error, 'Conflict')) memory.changed(jobUid, resource, ref, uid);
    else throw error;
    // Only what is gone is what a delete wanted. A conflict may leave it as it was, and then no watch wakes the next pass.
    return action.kind === 'delete' && isKind(error, 'NotFound') ? 'done' : 'again';
  }
}

/** A repeated create finds the first one's object by its name; whose it is, its owner's UID tells. */
async function create(
  { metadata: { namespace, uid: jobUid } }: FineTuneJob,
  object: KubernetesObject,
  { client, memory }: ExecuteDependencies,
  log: Log,
  signal: AbortSignal,
): Promise<'done' | 'again'> {
  const resource = managedResource(object.apiVersion, object.kind);
  const ref = { namespace, name: object.metadata?.name ?? '' };
  try {
    const wanted = { ...object, metadata: { ...object.metadata, namespace } };
    memory.wrote(jobUid, resource, await client.create(resource, wanted, signal));
    log.info('created', { kind: resource.kind, object: ref.name });
    return 'done';
  } catch (error) {
    if (!isKind(error, 'AlreadyExists')) throw error;
  }
  const existing = await client.get(resource, ref, signal);
  if (controllerUid(existing) !== jobUid) {
    memory.metForeign(jobUid, resource, ref);
    log.warn('an object of somebody else has the name of a child', { kind: resource.kind, object: ref.name });
    return 'again';
  }
  if (existing.metadata?.deletionTimestamp !== undefined) {
    throw new ApiError('Conflict', `${resource.kind} ${ref.name} is still being deleted`);
  }
  memory.wrote(jobUid, resource, existing);
  return 'done';
}

/** Replaces the whole status. The resourceVersion makes it fail if anybody wrote since the job was read. */
async function writeStatus(
  job: FineTuneJob,
  status: FineTuneJobStatus,
  { client, memory }: ExecuteDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, uid, resourceVersion } = job.metadata;
  const metadata = { namespace, name, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  const { apiVersion, kind, spec } = job;
  const wanted = { apiVersion, kind, metadata, spec, status };
  try {
    memory.wrote(uid, fineTuneJobs, await client.replace(fineTuneJobs, wanted, signal, 'status'));
  } catch (error) {
    // Then it is not the Jobs alone, and no refusal of them may be told once the API server is back.
    if (isFailure(error)) memory.forgetFailures(uid);
    throw error;
  }
}
