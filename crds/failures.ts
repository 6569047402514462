/**
 * Failure categories and exit codes: the contract between the trainer, the Job's podFailurePolicy and status.failure.
 * retry: never = the same input fails again; limited = counts against spec.retry.limit; free = not the job's fault;
 * smaller = again with smaller micro-batches, counts against spec.retry.outOfMemoryLimit.
 */
export type RetryRule = 'never' | 'limited' | 'free' | 'smaller';
export type FailureRule = { exitCode?: number; retry: RetryRule; meaning: string };

export const failures = {
  ConfigError: { exitCode: 10, retry: 'never', meaning: 'A setting is wrong or does not fit the model.' },
  DataError: {
    exitCode: 11,
    retry: 'never',
    meaning: 'The dataset cannot be used; the message names file and line.',
  },
  ModelError: {
    exitCode: 12,
    retry: 'never',
    meaning: 'The base model cannot be used: unknown type, damaged or unsafe files.',
  },
  SourceNotFound: {
    exitCode: 13,
    retry: 'never',
    meaning: 'A bucket, object, folder or file does not exist.',
  },
  SourceForbidden: { exitCode: 14, retry: 'never', meaning: 'The credentials are missing or refused.' },
  AcceleratorUnusable: {
    exitCode: 15,
    retry: 'never',
    meaning: 'An accelerator was requested and TensorFlow cannot use it.',
  },
  NonFiniteLoss: { exitCode: 16, retry: 'never', meaning: 'The loss became NaN or infinite.' },
  OutputError: { exitCode: 17, retry: 'never', meaning: 'The result cannot be written.' },
  AcceleratorOutOfMemory: {
    exitCode: 18,
    retry: 'smaller',
    meaning: 'The accelerator has too little memory for the batch.',
  },
  SourceUnavailable: {
    exitCode: 30,
    retry: 'limited',
    meaning: 'A server did not answer or answered with an error that may pass.',
  },
  Internal: { exitCode: 31, retry: 'limited', meaning: 'An error that the trainer did not expect.' },
  HostOutOfMemory: { exitCode: 137, retry: 'smaller', meaning: 'The pod used more memory than its limit.' },
  Interrupted: { exitCode: 143, retry: 'free', meaning: 'The pod was asked to stop and saved a checkpoint.' },
  ImagePull: { retry: 'free', meaning: 'The trainer image cannot be pulled.' },
  Unschedulable: { retry: 'free', meaning: 'No node can take the pod.' },
  VolumeMount: { retry: 'free', meaning: 'A volume, Secret or ConfigMap cannot be mounted.' },
  PodRefused: { retry: 'free', meaning: 'The cluster refuses the pod: a quota or an admission policy.' },
  JobRefused: {
    retry: 'free',
    meaning:
      'The API server refuses the Job: a quota, an admission policy, a rule of the API, or a webhook that gives no answer.',
  },
  NodeLost: { retry: 'free', meaning: 'The node went away, or the pod was evicted or preempted.' },
  Cancelled: { retry: 'never', meaning: 'spec.cancel ended the run.' },
  DeadlineExceeded: { retry: 'never', meaning: 'Trainers ran longer than spec.activeDeadlineSeconds.' },
  PendingDeadlineExceeded: {
    retry: 'never',
    meaning: 'No pod started within spec.pendingDeadlineSeconds.',
  },
  BudgetExhausted: { retry: 'free', meaning: 'spec.budget is used up; with a larger one the run goes on.' },
  RuntimeNotFound: { retry: 'free', meaning: 'The FineTuneRuntime does not exist.' },
  RuntimeForbidden: { retry: 'free', meaning: 'The FineTuneRuntime does not allow what the job asks for.' },
  NameTaken: { retry: 'free', meaning: 'A child has the name of an object of somebody else.' },
} as const satisfies Record<string, FailureRule>;

export type FailureCategory = keyof typeof failures;
/** Categories that the trainer itself reports; the others are seen by the operator from outside. */
export type TrainerFailureCategory = {
  [K in FailureCategory]: (typeof failures)[K] extends { exitCode: number } ? K : never;
}[FailureCategory];

export const failureCategories = Object.keys(failures) as [FailureCategory, ...FailureCategory[]];

/** Category of a container that ended with `exitCode` and left no message. */
export function categoryOfExitCode(exitCode: number): FailureCategory {
  for (const category of failureCategories) {
    const rule: FailureRule = failures[category];
    if (rule.exitCode === exitCode) return category;
  }
  return 'Internal';
}
