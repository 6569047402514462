/** Why a pod has not started yet, or the one before it not ended. */
import type { V1Job, V1Pod, V1PodCondition } from '@kubernetes/client-node';
import type { FailureCategory } from '../../crds/failures.ts';
import { containerStatus } from './ending.ts';
import { millis, present } from './present.ts';
import { untilOverdue, untoldEnd } from './stopping.ts';
import { failureFrom, type Verdict } from './verdict.ts';

/** `category` is set when a person should know; `recheckMs` when only time will show it. */
export type Waiting = { message: string; category?: FailureCategory; hint?: string; recheckMs?: number };

/**
 * A Job without a pod, and a pod without its volumes, are normal for so long. So is a pod without a node: the pod of the
 * stage before may still hold its place.
 */
const patienceMs = { pod: 20_000, node: 10_000, volumes: 30_000 };

/** After each pod that failed, for whatever reason, the Job controller lets twice as much time pass, up to the longest. */
const backOffMs = { first: 10_000, longest: 600_000 };

const imageReasons = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);

/** What a check says of a run that waits. */
export function waits(
  verdict: Pick<Verdict, 'phase' | 'reason'>,
  { message, category, hint, recheckMs }: Waiting,
): Verdict {
  const failure = category && failureFrom(category, message, hint);
  return present({ ...verdict, message, failure, requeueAfterMs: recheckMs });
}

/** `mounted` names the Secrets and claims of the pod: that they are missing stands only in events. */
export function waitingForStart(pod: V1Pod, mounted: readonly string[], now: Date): Waiting {
  const scheduled = condition(pod, 'PodScheduled');
  if (scheduled?.status !== 'True') return waitingForNode(pod, scheduled, now);
  const { reason = '', message } = containerStatus(pod)?.state?.waiting ?? {};
  if (imageReasons.has(reason)) {
    return { category: 'ImagePull', message: `The image cannot be pulled: ${message ?? reason}` };
  }
  if (reason.startsWith('CreateContainer') || reason === 'RunContainerError') {
    return { category: 'VolumeMount', message: `The container cannot be made: ${message ?? reason}` };
  }
  return waitingForVolumes(pod, scheduled, mounted, now);
}

/** `since` = a pod has been missing, `ended` = there have been so many. */
export function waitingForPod(
  { metadata, status }: V1Job,
  { since, ended }: { since: number; ended: number },
  now: Date,
): Waiting {
  // With thousands of new Jobs, or while it is away, that takes minutes: nobody has refused the pod yet.
  if (status?.startTime === undefined)
    return { message: `Job ${metadata?.name} waits for the Job controller of the cluster.` };
  const backOff = ended === 0 ? 0 : Math.min(backOffMs.first * 2 ** (ended - 1), backOffMs.longest);
  const left = since + backOff + patienceMs.pod - now.getTime();
  if (left > 0) return { message: 'The pod is being made.', recheckMs: left };
  const problem = ended === 0 ? 'has no pod' : 'has made no pod since its last one ended';
  return {
    category: 'PodRefused',
    message: `Job ${metadata?.name} ${problem}: a quota or an admission policy may refuse it.`,
  };
}

/** The Job makes the next pod once the node says that this one has ended. */
export function waitingForEnd(pod: V1Pod, now: Date): Waiting {
  const left = untilOverdue(pod, now);
  if (left > 0) return { message: 'The pod is being stopped.', recheckMs: left };
  const { message, hint } = untoldEnd(pod);
  return { category: 'NodeLost', message: `${message} No other pod starts before.`, hint };
}

function waitingForNode(pod: V1Pod, scheduled: V1PodCondition | undefined, now: Date): Waiting {
  if (scheduled?.reason === 'SchedulingGated') return { message: 'The pod waits for a scheduling gate.' };
  if (scheduled?.reason !== 'Unschedulable') return { message: 'The pod waits for a node.' };
  const { message = 'no node can take the pod' } = scheduled;
  const since = millis(pod.metadata?.creationTimestamp) ?? now.getTime();
  const left = since + patienceMs.node - now.getTime();
  if (left > 0) return { message: `The pod waits for room on a node: ${message}`, recheckMs: left };
  // "persistentvolumeclaim "data" not found" is no lack of nodes.
  const category = /persistentvolumeclaim/i.test(message) ? 'VolumeMount' : 'Unschedulable';
  return { category, message: `The pod cannot be scheduled: ${message}` };
}

/** The sandbox comes after the volumes, the image after the sandbox. */
function waitingForVolumes(
  pod: V1Pod,
  scheduled: V1PodCondition,
  mounted: readonly string[],
  now: Date,
): Waiting {
  const sandbox = condition(pod, 'PodReadyToStartContainers')?.status;
  if (sandbox === undefined) return { message: 'The pod gets its volumes and its image.' };
  if (sandbox === 'True') return { message: 'The image is being pulled.' };
  const since = millis(scheduled.lastTransitionTime) ?? now.getTime();
  const left = since + patienceMs.volumes - now.getTime();
  if (left > 0) return { message: 'The volumes of the pod are being mounted.', recheckMs: left };
  const names = mounted.length === 0 ? 'its volumes' : mounted.join(', ');
  return {
    category: 'VolumeMount',
    message: `The pod waits for what it mounts: check that it exists: ${names}. kubectl describe pod ${pod.metadata?.name} tells more.`,
  };
}

function condition(pod: V1Pod, type: string): V1PodCondition | undefined {
  return pod.status?.conditions?.find((one) => one.type === type);
}
