/** Attempts: each new pod of a train Job is one, also across Jobs and restarts of the operator. */
import type { V1Pod } from '@kubernetes/client-node';
import { type FineTuneJobStatus, maxSameSecond } from '../../crds/status.schema.ts';
import { millis, present, timestampOf } from './present.ts';

export type Attempt = NonNullable<FineTuneJobStatus['attempt']>;

/** The attempt that the newest pod is. `pods` are those of the train Job, oldest first. */
export function attemptOf(remembered: Attempt | undefined, pods: readonly V1Pod[]): Attempt | undefined {
  const unseen = pods.filter((pod) => isUnseen(pod, remembered));
  const last = unseen.at(-1) ?? pods.find((pod) => pod.metadata?.uid === remembered?.podUID);
  if (last === undefined) return remembered;
  const { name = '', uid = '', creationTimestamp } = last.metadata ?? {};
  return present({
    number: (remembered?.number ?? 0) + unseen.length,
    podName: name,
    podUID: uid,
    nodeName: last.spec?.nodeName,
    startTime: timestampOf(creationTimestamp),
    graceSeconds: last.spec?.terminationGracePeriodSeconds,
    sameSecond: sameSecond(last, pods, remembered),
  });
}

/** UIDs of other attempts that began in the second of `last`: the API server keeps no finer time to order them by. */
function sameSecond(
  last: V1Pod,
  pods: readonly V1Pod[],
  remembered: Attempt | undefined,
): string[] | undefined {
  const second = timestampOf(last.metadata?.creationTimestamp);
  const others = pods.filter((pod) => timestampOf(pod.metadata?.creationTimestamp) === second);
  const uids = new Set(others.map(({ metadata }) => metadata?.uid ?? ''));
  if (remembered !== undefined && remembered.startTime === second) {
    for (const uid of [...(remembered.sameSecond ?? []), remembered.podUID]) uids.add(uid);
  }
  uids.delete(last.metadata?.uid ?? '');
  return uids.size === 0 ? undefined : [...uids].sort().slice(0, maxSameSecond);
}

/** Whether the pod came after the remembered attempt. */
export function isUnseen(pod: V1Pod, remembered: Attempt | undefined): boolean {
  if (remembered === undefined) return true;
  const { uid = '', creationTimestamp } = pod.metadata ?? {};
  const later = (millis(creationTimestamp) ?? 0) - (millis(remembered.startTime) ?? 0);
  const known = [remembered.podUID, ...(remembered.sameSecond ?? [])];
  return later > 0 || (later === 0 && !known.includes(uid));
}
