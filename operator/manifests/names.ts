/** Names and labels of everything the operator makes. */
import { createHash } from 'node:crypto';

/** Field manager and value of app.kubernetes.io/managed-by. */
export const managerName = 'finetune-operator';

/** Container of both pods; the podFailurePolicy and the reader of results name it. */
export const trainerContainer = 'trainer';

export const stages = ['preflight', 'train'] as const;
export type Stage = (typeof stages)[number];

export const labels = {
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  component: 'app.kubernetes.io/component',
  partOf: 'app.kubernetes.io/part-of',
  managedBy: 'app.kubernetes.io/managed-by',
  job: 'finetune.dev/job',
  jobUid: 'finetune.dev/job-uid',
  run: 'finetune.dev/run',
  stage: 'finetune.dev/stage',
  queue: 'kueue.x-k8s.io/queue-name',
  priority: 'kueue.x-k8s.io/priority-class',
  /** Set by the Job controller on the pods that it makes. */
  batchJob: 'batch.kubernetes.io/job-name',
} as const;

export const annotations = {
  /** The run config as JSON; the downward API makes it the file that the trainer reads. */
  runConfig: 'finetune.dev/run-config',
  /** On a batch Job: when its run began. Two runs may have the same runId, one after the other. */
  startTime: 'finetune.dev/start-time',
  /** On a batch Job that the operator has suspended: only then does the operator resume it. */
  heldByUser: 'finetune.dev/suspended-by-user',
} as const;

/** A Job's pods carry its name in a label, so 63 characters is the limit. */
const maxNameLength = 63;

/**
 * Name of the batch Job of a stage. The same job and run always give the same name, so a repeated create finds the
 * first one; a job that was deleted and made again has another UID and so other names.
 */
export function stageName(job: { name: string; uid: string }, runId: string, stage: Stage): string {
  const hash = createHash('sha256').update(`${job.uid}/${runId}`).digest('hex').slice(0, 10);
  const suffix = `-${hash}-${stage}`;
  const prefix = job.name
    .replaceAll('.', '-')
    .slice(0, maxNameLength - suffix.length)
    .replace(/-+$/, '');
  return `${prefix}${suffix}`;
}

/** Labels of a batch Job and of its pods. */
export function stageLabels(
  job: { name: string; uid: string },
  runId: string,
  stage: Stage,
): Record<string, string> {
  return {
    [labels.name]: 'finetune-trainer',
    [labels.instance]: job.name,
    [labels.component]: stage,
    [labels.partOf]: managerName,
    [labels.managedBy]: managerName,
    [labels.job]: job.name,
    [labels.jobUid]: job.uid,
    [labels.run]: runId,
    [labels.stage]: stage,
  };
}
