/** Attempts: each new pod of a train Job is one, also across Jobs and restarts of the operator. */
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { millis, present, timestampOf } from './present.ts';

export type Attempt = NonNullable<FineTuneJobStatus['attempt']>;

/** The attempt that the newest pod is. `pods` are those of the train Job, oldest first. */
export function attemptOf(remembered: Attempt | undefined, pods: readonly V1Pod[]): Attempt | undefined {
  const unseen = pods.filter((pod) => isAfter(pod, remembered));
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

function isAfter(pod: V1Pod, remembered: Attempt | undefined): boolean {
  if (remembered === undefined) return true;
  if (pod.metadata?.uid === remembered.podUID) return false;
  const created = millis(pod.metadata?.creationTimestamp) ?? 0;
  return created >= (millis(remembered.startTime) ?? 0);
}
