/** Condition types, their reasons and event reasons: defined here once; the documentation is generated from these tables. */

export const conditions = {
  Validated: 'Preflight read every row of the data and the model fits the task.',
  Running: 'The trainer is at work.',
  Complete: 'The run ended and the model passed: it is published.',
  Failed: 'The run ended without a model, or was cancelled; status.failure says why.',
  Rejected: 'The run ended, but the model did not pass the gate and was not published.',
  Suspended:
    'The run is on hold: spec.suspend is true, its budget is used up, or a queue has not admitted it.',
  Overfitting:
    'The losses show overfitting: that on the validation split rose after its lowest value, or is far above the training loss. What is published are the best weights.',
  SliceGapGrown:
    'In a column of dataset.slices the tuned model has a larger gap between best and worst slice than the base model.',
  Ready: 'Summary for GitOps tools: True once the run has ended well.',
  Reconciling: 'The run has not ended yet (kstatus: in progress).',
  Stalled: 'The run cannot go on without a change (kstatus: failed).',
} as const;

export type ConditionType = keyof typeof conditions;
export const conditionTypes = Object.keys(conditions) as [ConditionType, ...ConditionType[]];

/** Reasons in conditions and events, with what each means. */
export const reasons = {
  Waiting: 'Nothing has been decided yet.',
  PreflightPending: 'The preflight pod has not started yet; the message says what it waits for.',
  PreflightRunning: 'The data is being checked on a CPU.',
  PreflightPassed: 'The data and the model are fit for training.',
  PreflightFailed: 'The data, the model or the settings are not fit for training.',
  DryRun: 'spec.dryRun is set: the run ends after preflight.',
  RuntimeNotFound: 'The FineTuneRuntime that the job names does not exist.',
  RuntimeForbidden:
    'The FineTuneRuntime does not allow this namespace, source or amount of resources, or names no price for spec.budget.maxCost.',
  NameTaken: 'An object with the name of a child exists and belongs to somebody else.',
  JobRefused:
    'The API server does not take a Job, or a change to it: a quota, an admission policy or a rule of the API is against it, or a webhook gives no answer; the message is what it said. It is tried again.',
  TrainingQueued: 'The train Job waits for a queue to admit it.',
  TrainingPending: 'The trainer pod has not started yet; the message says what it waits for.',
  TrainingRunning: 'The trainer is at work.',
  TrainingRetrying: 'The trainer failed in a way that may pass and is started again.',
  TrainingInterrupted: 'The trainer pod was stopped from outside and goes on from its last checkpoint.',
  TrainingFailed: 'The trainer ended with an error that a retry would not change.',
  RetriesExhausted: 'The trainer failed more often than spec.retry.limit allows.',
  Succeeded: 'The model is trained, evaluated and published.',
  GateNotPassed: 'The tuned model did not reach the values that spec.gate asks for.',
  SuspendedByUser: 'spec.suspend is true.',
  Resumed: 'What held the run is gone: it goes on from its last checkpoint.',
  Cancelled: 'spec.cancel is true: the run ends after a checkpoint.',
  DeadlineExceeded: 'Trainers ran longer than spec.activeDeadlineSeconds: the run ends after a checkpoint.',
  PendingDeadlineExceeded:
    'The run waited longer than spec.pendingDeadlineSeconds before a pod started; the message says for what.',
  BudgetExhausted: 'spec.budget is used up: the run is on hold after a checkpoint until it is raised.',
  BudgetNearlyExhausted: 'Four fifths of spec.budget are used.',
  NewRun: 'A new runId started a new run.',
  EvalLossRose:
    'The validation loss rose after its lowest value: the model began to learn the training rows by heart.',
  TrainEvalGap: 'The validation loss is far above the training loss.',
  NoOverfitting: 'Neither has the validation loss risen notably, nor is it far above the training loss.',
  SliceGapGrew: 'The gap between slices grew by more than chance explains.',
  SliceGapSteady: 'In no column did the gap between slices grow by more than chance explains.',
  NotMeasured:
    'The run has no data for this: no validation split, no slices with enough rows, or no base model.',
  NotApplicable: 'The run ended before this mattered.',
} as const;

export type Reason = keyof typeof reasons;
