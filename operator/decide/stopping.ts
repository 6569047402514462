/** Pods that were asked to stop: how long they may take, and how long a trainer counts as being at work. */
import type { V1Pod } from '@kubernetes/client-node';
import { isAtWork } from './ending.ts';
import { millis } from './present.ts';
import type { Run } from './run.ts';

/** A node that answers tells the end of a pod within so long after its grace period. */
const patienceMs = 60_000;

/** Milliseconds until the end of the pod should be known; the time of its deletion has the grace period in it. */
export function untilOverdue({ metadata }: V1Pod, now: Date): number {
  const by = millis(metadata?.deletionTimestamp);
  return by === undefined ? Number.POSITIVE_INFINITY : Math.max(0, by + patienceMs - now.getTime());
}

/** Milliseconds for which something is at work yet, as far as is known: a lost node never tells that its pod has ended. */
export function atWorkMs({ preflight, train, strays, now }: Run): number {
  // A stray that nobody stops, such as one whose Job was orphaned, is waited for like anything else.
  const leaving = strays.filter(({ metadata }) => metadata?.deletionTimestamp !== undefined);
  const pods = [...preflight.pods, ...train.pods, ...leaving];
  return Math.max(0, ...pods.filter(isAtWork).map((pod) => untilOverdue(pod, now)));
}
