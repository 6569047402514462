/** What a person can do about a failure that only the operator saw. */
import type { FailureCategory } from '../../crds/failures.ts';
import type { Stage } from '../manifests/names.ts';

export type HintInput = { stage: Stage; memoryLimit: string | undefined };

const hints: Record<Exclude<FailureCategory, 'HostOutOfMemory'>, string> = {
  ConfigError: 'Correct the setting and set a new runId.',
  DataError: 'Correct the data and set a new runId.',
  ModelError: 'Choose another base model and set a new runId.',
  SourceNotFound: 'Check endpoint, bucket, prefix and file names, then set a new runId.',
  SourceForbidden: 'Check the credentials Secret (accessKeyId, secretAccessKey), then set a new runId.',
  AcceleratorUnusable:
    'Ask the platform team: driver and image have to fit. A FineTuneRuntime with accelerator.whenUnusable: UseCPU trains without.',
  NonFiniteLoss:
    'Lower training.learningRate or training.maxGradNorm, look for broken rows, then set a new runId.',
  OutputError: 'Check that the output exists, is writable and has room, then set a new runId.',
  AcceleratorOutOfMemory:
    'Set training.gradientCheckpointing, or lower training.batchSize and raise training.gradientAccumulationSteps as much; then set a new runId.',
  SourceUnavailable: 'Check that the server can be reached from the cluster.',
  Internal: 'The log of the pod tells more: kubectl logs POD.',
  Interrupted: 'Nothing to do: the run goes on from its last checkpoint.',
  NodeLost: 'Nothing to do: the run goes on from its last checkpoint on another node.',
  Unschedulable:
    'Ask for less (spec.resources), or ask the platform team whether a node has that much and lets trainers in.',
  ImagePull: 'Ask the platform team: image and imagePullSecrets of the FineTuneRuntime have to be right.',
  PodRefused: 'See the events of the batch Job: kubectl describe job NAME. Often a quota is used up.',
  JobRefused:
    'Ask the platform team to allow the Job or to mend the webhook, or free room in the quota: kubectl describe resourcequota. It is tried again by itself, in five minutes at the latest.',
  VolumeMount: 'Create what is missing in the namespace of the job; the pod starts by itself then.',
  Cancelled: 'Set a new runId together with cancel: false to run it again.',
  DeadlineExceeded:
    'Set a new runId with a longer activeDeadlineSeconds, fewer epochs or a faster accelerator. The last checkpoint stays in the output.',
  PendingDeadlineExceeded:
    'Mend what it waited for, or allow a longer wait with spec.pendingDeadlineSeconds; then set a new runId.',
  BudgetExhausted: 'Raise spec.budget: the run goes on from its last checkpoint. Or set cancel: true.',
  RuntimeNotFound: 'Create the FineTuneRuntime, or name one that exists: kubectl get ftr.',
  RuntimeForbidden: 'Ask for what the FineTuneRuntime allows, or ask the platform team to allow more.',
  NameTaken: 'Remove the object, or give the job another name.',
};

export function hintFor(category: FailureCategory, { stage, memoryLimit }: HintInput): string {
  if (category !== 'HostOutOfMemory') return hints[category];
  const limit = memoryLimit === undefined ? 'its memory limit' : `its memory limit of ${memoryLimit}`;
  return stage === 'train'
    ? `The trainer needs more than ${limit}: raise spec.resources.memory, set training.gradientCheckpointing, or lower training.batchSize and raise training.gradientAccumulationSteps as much; then set a new runId.`
    : `Preflight needs more than ${limit}: ask the platform team to raise spec.preflight.memory of the FineTuneRuntime, and set a new runId.`;
}
