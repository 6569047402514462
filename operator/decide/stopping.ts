/** Pods that were asked to stop: how long they may take, and how long a trainer counts as being at work. */
import type { V1Pod } from '@kubernetes/client-node';
import { isAtWork } from './ending.ts';
import { millis, timestampOf } from './present.ts';
import type { Run } from './run.ts';
import { controllerOf, hasLivePods, isKept } from './stage.ts';

/** A node that answers tells the end of a pod within so long after its grace period. */
const patienceMs = 60_000;

/** Milliseconds until the end of the pod should be known; the time of its deletion has the grace period in it. */
export function untilOverdue({ metadata }: V1Pod, now: Date): number {
  const by = millis(metadata?.deletionTimestamp);
  return by === undefined ? Number.POSITIVE_INFINITY : Math.max(0, by + patienceMs - now.getTime());
}

/** Milliseconds for which something is at work yet, as far as is known: a lost node never tells that its pod has ended. */
export function atWorkMs(run: Run): number {
  return Math.max(0, ...podsAtWork(run).map((pod) => untilOverdue(pod, run.now)));
}

/** What a person should know of a run that stops: of which pod the end is not to be had without them, and what to do. */
export function lostWhileStopping(run: Run): string | undefined {
  const orphan = run.strays.find(isOrphan);
  if (orphan !== undefined) return trainsOn(orphan);
  const pod = podsAtWork(run).find((one) => untilOverdue(one, run.now) === 0);
  if (pod === undefined) return keptWithoutPods(run);
  const { message, hint } = untoldEnd(pod);
  return `${message} ${hint}`;
}

function keptWithoutPods({ preflight, train, formerJobs, strays }: Run): string | undefined {
  const job = [train.job, preflight.job, ...formerJobs].find((one) => one?.metadata && isKept(one.metadata));
  if (job === undefined || strays.length > 0 || [preflight, train].some(hasLivePods)) return undefined;
  const { name, finalizers = [] } = job.metadata ?? {};
  return `Job ${name} is deleted, and stays until whoever has set its finalizer ${finalizers.join(', ')} removes that.`;
}

function isOrphan(pod: V1Pod): boolean {
  return controllerOf(pod) === undefined && pod.metadata?.deletionTimestamp === undefined;
}

function trainsOn({ metadata }: V1Pod): string {
  const { namespace, name } = metadata ?? {};
  const cause = `The Job of pod ${name} was removed without it, so that nothing stops the pod before it has come to its end.`;
  return `${cause} To stop it now: kubectl delete pod -n ${namespace} ${name}.`;
}

/** Of a pod that is overdue. */
export function untoldEnd({ metadata, spec }: V1Pod): { message: string; hint: string } {
  const node = spec?.nodeName ?? 'unknown';
  const by = timestampOf(metadata?.deletionTimestamp);
  return {
    message: `Node ${node} does not tell that pod ${metadata?.name} has ended, which was to stop by ${by}.`,
    hint: `See whether the node answers: kubectl get node ${node}. If it is gone for good, delete its Node object.`,
  };
}

function podsAtWork({ preflight, train, strays }: Run): V1Pod[] {
  // A stray that nobody stops is waited for like anything else.
  const leaving = strays.filter(({ metadata }) => metadata?.deletionTimestamp !== undefined);
  return [...preflight.pods, ...train.pods, ...leaving].filter(isAtWork);
}
