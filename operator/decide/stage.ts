/** Where a stage stands: its batch Job and pods, read as one of a few states. */
import type { V1Job, V1ObjectMeta, V1OwnerReference, V1Pod } from '@kubernetes/client-node';
import { categoryOfExitCode, type FailureRule, failures } from '../../crds/failures.ts';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { annotations, labels } from '../manifests/names.ts';
import { containerStatus, type Ending, endingOf, type Fault, type RunIdentity, retryIn } from './ending.ts';
import { hintFor } from './hints.ts';
import { millis } from './present.ts';

export type StageState =
  | { at: 'absent' }
  /** The Job is being deleted. */
  | { at: 'leaving' }
  /** The Job is suspended: by the operator for the user, or by a queue or an administrator. */
  | { at: 'held'; byUser: boolean }
  /** The pod does not exist yet or its container has not started. */
  | { at: 'waiting'; pod?: V1Pod }
  | { at: 'running'; pod: V1Pod }
  /** The pod was asked to stop and has not ended. */
  | { at: 'stopping'; pod: V1Pod }
  /** The last pod failed, the Job starts another one. */
  | { at: 'retrying'; ending: Ending; fault: Fault }
  /** The last pod was stopped from outside, the Job starts another one. */
  | { at: 'interrupted'; ending: Ending; fault: Fault }
  | { at: 'reached'; ending: Ending }
  | { at: 'failed'; ending?: Ending; fault: Fault; exhausted: boolean }
  /** The Job is over and nothing shows that the run failed or was done: it has to be started again. */
  | { at: 'lost'; ending?: Ending };

export type StageView = {
  job: V1Job | undefined;
  /** Pods of the Job, oldest first. */
  pods: V1Pod[];
  state: StageState;
};

type Remembered = FineTuneJobStatus['failure'];

export function viewStage(
  job: V1Job | undefined,
  allPods: readonly V1Pod[],
  run: RunIdentity,
  remembered: Remembered,
): StageView {
  if (job === undefined) return { job, pods: [], state: { at: 'absent' } };
  const pods = allPods.filter((pod) => controllerOf(pod)?.uid === job.metadata?.uid).toSorted(byAge);
  return { job, pods, state: stateOf(job, pods, run, remembered) };
}

/** Reference to the object that controls the pod. */
export function controllerOf(pod: V1Pod): V1OwnerReference | undefined {
  return pod.metadata?.ownerReferences?.find((owner) => owner.controller);
}

/**
 * The Job that made the pod. Where a Job was removed without its pods (kubectl delete --cascade=orphan) they have no owner any
 * more, and train on; the label of the Job controller stays.
 */
export function jobNameOf(pod: V1Pod): string | undefined {
  const controller = controllerOf(pod);
  if (controller === undefined) return pod.metadata?.labels?.[labels.batchJob];
  return controller.kind === 'Job' ? controller.name : undefined;
}

function stateOf(job: V1Job, pods: V1Pod[], run: RunIdentity, remembered: Remembered): StageState {
  const endings = pods.flatMap((pod) => endingOf(pod, run) ?? []);
  // What a pod says counts at once: the Job follows later.
  const reached = endings.find((ending) => ending.fault === undefined);
  if (reached !== undefined) return { at: 'reached', ending: reached };
  for (const ending of endings) {
    const { fault } = ending;
    // The Job would start the same again, whether it failed for good or with batches that are too large.
    if (fault?.retry === 'never' || fault?.retry === 'smaller')
      return { at: 'failed', ending, fault, exhausted: false };
  }
  if (job.metadata?.deletionTimestamp !== undefined) return { at: 'leaving' };
  const last = pods.at(-1);
  const ending = endings.find(({ pod }) => pod === last);
  const over = endedAs(job);
  if (over !== undefined) return afterTheEnd(job, ending, run, remembered);
  if (job.spec?.suspend === true) return { at: 'held', byUser: heldByUser(job) };
  if (ending?.fault !== undefined) {
    return { at: ending.fault.retry === 'free' ? 'interrupted' : 'retrying', ending, fault: ending.fault };
  }
  return liveState(last);
}

function liveState(pod: V1Pod | undefined): StageState {
  if (pod === undefined) return { at: 'waiting' };
  if (pod.metadata?.deletionTimestamp !== undefined) return { at: 'stopping', pod };
  return containerStatus(pod)?.state?.running === undefined ? { at: 'waiting', pod } : { at: 'running', pod };
}

/** The Job is over and no pod tells a result or a final failure. */
function afterTheEnd(
  job: V1Job,
  ending: Ending | undefined,
  run: RunIdentity,
  remembered: Remembered,
): StageState {
  const reason = job.status?.conditions?.find(
    ({ type }) => type === 'Failed' || type === 'FailureTarget',
  )?.reason;
  // The operator's own doing: however the pod ended then, it is no failure of the run.
  if (reason === 'DeadlineExceeded') return ending === undefined ? { at: 'lost' } : { at: 'lost', ending };
  if (ending?.fault?.retry === 'limited') {
    return { at: 'failed', ending, fault: ending.fault, exhausted: true };
  }
  if (ending !== undefined) return { at: 'lost', ending };
  // The pods are gone: what the Job and the status remember is all there is.
  const ruled = ruledByPolicy(job, run);
  if (ruled !== undefined) return { at: 'failed', fault: ruled, exhausted: false };
  const rule: FailureRule | undefined = failures[remembered?.category as keyof typeof failures];
  if (endedAs(job) === 'Failed' && remembered !== undefined && rule?.retry === 'limited') {
    const { category, message, hint, step, logTail } = remembered;
    const fault = { category: category as Fault['category'], retry: rule.retry, message, hint };
    return {
      at: 'failed',
      fault: { ...fault, ...(step !== undefined && { step }), ...(logTail && { logTail }) },
      exhausted: true,
    };
  }
  return { at: 'lost' };
}

/** A FailJob rule of the podFailurePolicy names the exit code in the condition of the Job. */
function ruledByPolicy(job: V1Job, { stage }: RunIdentity): Fault | undefined {
  const condition = job.status?.conditions?.find(({ reason }) => reason === 'PodFailurePolicy');
  const code = /exit code (\d+)/.exec(condition?.message ?? '')?.[1];
  if (code === undefined) return undefined;
  const category = categoryOfExitCode(Number(code));
  const message = `${failures[category].meaning} The trainer ended with exit code ${code}; its pod is gone.`;
  const retry = retryIn(stage, failures[category].retry);
  return {
    category,
    retry: retry === 'smaller' ? retry : 'never',
    message,
    hint: hintFor(category, { stage, memoryLimit: undefined }),
  };
}

/** How the Job controller sees the end of a Job; undefined while it may start pods. */
export function endedAs(job: V1Job): 'Complete' | 'Failed' | undefined {
  for (const { type, status } of job.status?.conditions ?? []) {
    if (status !== 'True') continue;
    if (type === 'Complete' || type === 'SuccessCriteriaMet') return 'Complete';
    if (type === 'Failed' || type === 'FailureTarget') return 'Failed';
  }
  return undefined;
}

/** Whether a pod of the stage may still do something. */
export function hasLivePods({ pods }: Pick<StageView, 'pods'>): boolean {
  return pods.some(({ status }) => status?.phase === 'Pending' || status?.phase === 'Running');
}

/** With one of these the garbage collector has the children in hand: it lets them go, or removes them first. */
const collectors = ['orphan', 'foregroundDeletion'];

/** Whether somebody's finalizer keeps an object that is being deleted, and its children with it. */
export function isKept({ deletionTimestamp, finalizers = [] }: V1ObjectMeta): boolean {
  const isCollected = finalizers.some((each) => collectors.includes(each));
  return deletionTimestamp !== undefined && finalizers.length > 0 && !isCollected;
}

export function heldByUser(job: V1Job): boolean {
  return job.metadata?.annotations?.[annotations.heldByUser] !== undefined;
}

/** Whether a queue decides when the Job runs. */
export function isQueued(job: V1Job): boolean {
  return job.metadata?.labels?.[labels.queue] !== undefined;
}

/** The older pod first. */
export function byAge(a: V1Pod, b: V1Pod): number {
  const order = (millis(a.metadata?.creationTimestamp) ?? 0) - (millis(b.metadata?.creationTimestamp) ?? 0);
  return order !== 0 ? order : (a.metadata?.uid ?? '') < (b.metadata?.uid ?? '') ? -1 : 1;
}
