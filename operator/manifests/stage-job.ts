/** The batch Job of a stage: preflight (CPU only) or train. */
import type { V1Job } from '@kubernetes/client-node';
import type { FineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import type { FineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { podFailurePolicy } from './failure-policy.ts';
import { annotations, labels, type Stage, stageLabels, stageName } from './names.ts';
import { podSpec } from './pod.ts';
import { queueLabels } from './queue.ts';

export type StageJobInput = {
  job: {
    apiVersion: string;
    kind: string;
    metadata: { name: string; namespace: string; uid: string; labels?: Record<string, string> };
    spec: FineTuneJobSpec;
  };
  runtime: FineTuneRuntimeSpec;
  stage: Stage;
  config: RunConfig;
};

/**
 * One pod at a time, and a new one only after the old one is gone for good (podReplacementPolicy Failed): two
 * trainers would write the same checkpoints. The run config travels in an annotation of the pod, so that a Job
 * and its config are made, kept and removed as one object.
 */
export function stageJob({ job, runtime, stage, config }: StageJobInput): V1Job {
  const { name, namespace, uid } = job.metadata;
  const { runId, retry } = job.spec;
  const own = stageLabels(job.metadata, runId, stage);
  const queue = stage === 'train' ? queueLabels(job.metadata, runtime) : {};
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: stageName(job.metadata, runId, stage),
      namespace,
      labels: { ...own, ...queue },
      annotations: { [annotations.startTime]: config.job.startTime },
      ownerReferences: [
        { apiVersion: job.apiVersion, kind: job.kind, name, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: retry.limit,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: podFailurePolicy(),
      // The queue decides when the Job starts.
      ...(labels.queue in queue && { suspend: true }),
      template: {
        metadata: { labels: own, annotations: { [annotations.runConfig]: JSON.stringify(config) } },
        spec: podSpec({ spec: job.spec, runtime, stage }),
      },
    },
  };
}
