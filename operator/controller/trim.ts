/**
 * What is kept of Jobs and pods in memory: the fields that decisions are made from, and no more. With ten thousand jobs the
 * pod templates with their run configs alone would be most of the memory.
 */
import type { V1Job, V1JobCondition, V1ObjectMeta, V1Pod } from '@kubernetes/client-node';
import { present } from '../decide/present.ts';
import { controllerUid } from '../kube/store.ts';
import { annotations, labels, trainerContainer } from '../manifests/names.ts';

export function trimJob({ apiVersion, kind, metadata, spec, status }: V1Job): V1Job {
  const { suspend, activeDeadlineSeconds } = spec ?? {};
  return present({
    apiVersion,
    kind,
    metadata: metadata && present({ ...trimMetadata(metadata), finalizers: finalizersOf(metadata) }),
    spec: { ...present({ suspend, activeDeadlineSeconds }), template: {} },
    status: status && present({ conditions: status.conditions?.map(textOf), startTime: status.startTime }),
  });
}

/** They say who keeps a Job that is being deleted; else nobody looks at them. */
function finalizersOf({ deletionTimestamp, finalizers }: V1ObjectMeta): string[] | undefined {
  return deletionTimestamp === undefined ? undefined : finalizers;
}

export function trimPod({ apiVersion, kind, metadata, spec, status }: V1Pod): V1Pod {
  const { nodeName, terminationGracePeriodSeconds, containers } = spec ?? {};
  const trainer = containers?.filter(({ name }) => name === trainerContainer) ?? [];
  return present({
    apiVersion,
    kind,
    metadata: metadata && trimMetadata(metadata),
    spec: {
      ...present({ nodeName, terminationGracePeriodSeconds }),
      containers: trainer.map(({ name, resources }) => ({ name, ...(resources && { resources }) })),
    },
    status: status && trimPodStatus(status),
  });
}

function trimPodStatus(status: NonNullable<V1Pod['status']>): NonNullable<V1Pod['status']> {
  const { phase, reason, message, podIP, conditions, containerStatuses } = status;
  return present({
    phase,
    reason,
    message,
    podIP,
    conditions: conditions
      ?.filter(({ type }) => keptConditions.includes(type))
      .map((condition) => ({
        ...textOf(condition),
        ...present({ lastTransitionTime: condition.lastTransitionTime }),
      })),
    containerStatuses: containerStatuses
      ?.filter(({ name }) => name === trainerContainer)
      .map(({ name, image, imageID, ready, restartCount, state }) => ({
        name,
        image,
        imageID,
        ready,
        restartCount,
        ...(state && { state }),
      })),
  });
}

/** A condition without its times. */
function textOf({ type, status, reason, message }: V1JobCondition): V1JobCondition {
  return { type, status, ...present({ reason, message }) };
}

/** The way to the container, and what stopped it from outside. */
const keptConditions: readonly string[] = ['PodScheduled', 'PodReadyToStartContainers', 'DisruptionTarget'];
const keptLabels: readonly string[] = [labels.job, labels.jobUid, labels.run, labels.stage, labels.queue];
const keptAnnotations: readonly string[] = [annotations.heldByUser, annotations.startTime];

function trimMetadata(metadata: V1ObjectMeta): V1ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  const isOwned = controllerUid({ metadata }) !== undefined;
  return present({
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    deletionTimestamp,
    ownerReferences: metadata.ownerReferences,
    labels: only(metadata.labels, isOwned ? keptLabels : [...keptLabels, labels.batchJob]),
    annotations: only(metadata.annotations, keptAnnotations),
  });
}

function only(all: Record<string, string> | undefined, keys: readonly string[]) {
  if (all === undefined) return undefined;
  return Object.fromEntries(Object.entries(all).filter(([key]) => keys.includes(key)));
}
