/** Attempts: each new pod of a train Job is one, also across Jobs and restarts of the operator. */
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
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
  });
}

/** Whether the pod came after the remembered attempt. In the order of stage.ts: by time, then by UID, so that pods of one second are not counted again and again. */
export function isUnseen(pod: V1Pod, remembered: Attempt | undefined): boolean {
  if (remembered === undefined) return true;
  const { uid = '', creationTimestamp } = pod.metadata ?? {};
  const later = (millis(creationTimestamp) ?? 0) - (millis(remembered.startTime) ?? 0);
  return later > 0 || (later === 0 && uid > remembered.podUID);
}
