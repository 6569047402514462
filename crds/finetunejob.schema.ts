/** FineTuneJob: one fine-tuning run, owned by the data scientist. Source of the CRD, the types and the field reference. */
import { z } from 'zod';
import { dataset } from './dataset.schema.ts';
import { cpuQuantity, decimal, fraction, memoryQuantity, objectName, withRules } from './fields.ts';
import { source } from './source.schema.ts';
import { fineTuneJobStatus } from './status.schema.ts';
import { taskRules } from './task-rules.ts';
import { metricNames, metrics, taskNames, tasks } from './tasks.ts';
import { training } from './training.schema.ts';

const evaluation = z
  .strictObject({
    everySteps: z
      .int32()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Steps between evaluations on the validation split. Default: once an epoch.'),
    baseline: z
      .boolean()
      .default(true)
      .describe('Evaluate the base model on the test split before training, and report the gain over it.'),
  })
  .prefault({})
  .describe('How the model is evaluated.');

const lessIsBetter = metricNames.filter((name) => metrics[name].better === 'less');
const lessIsBetterList = `[${lessIsBetter.map((name) => `'${name}'`).join(', ')}]`;

const gate = withRules(
  z
    .strictObject({
      metric: z
        .enum(metricNames)
        .describe('Metric on the test split; each task has its own, status.evaluation shows them.'),
      minimum: fraction('Smallest acceptable value.').optional(),
      maximum: decimal('Largest acceptable value of a metric of which less is better.').optional(),
      minimumGainOverBaseline: decimal(
        'By how much the metric must be better than that of the base model.',
      ).optional(),
    })
    .describe('Acceptance gate: a model that does not pass is Rejected and not published.'),
  [
    {
      rule: 'has(self.minimum) || has(self.maximum) || has(self.minimumGainOverBaseline)',
      message: 'set minimum or maximum, minimumGainOverBaseline, or both',
    },
    {
      rule: `!has(self.minimum) || !(self.metric in ${lessIsBetterList})`,
      message: `of ${lessIsBetter.join(' and ')} less is better: set maximum`,
      fieldPath: '.minimum',
    },
    {
      rule: `!has(self.maximum) || self.metric in ${lessIsBetterList}`,
      message: 'more of this metric is better: set minimum',
      fieldPath: '.maximum',
    },
    {
      rule: `!has(self.minimumGainOverBaseline) || self.metric in ${lessIsBetterList} || double(self.minimumGainOverBaseline) <= 1.0`,
      message: 'this metric goes from 0 to 1, and no gain can be larger',
      fieldPath: '.minimumGainOverBaseline',
    },
  ],
);

const amount = (description: string) => decimal(description, { above: 0, atMost: 1e9 });

const budget = withRules(
  z
    .strictObject({
      maxGpuHours: amount(
        'Largest number of accelerator hours: accelerators times the time that trainers run.',
      ).optional(),
      maxCost: amount(
        'Largest cost, in the currency of the FineTuneRuntime, which has to name a price.',
      ).optional(),
    })
    .describe(
      'What the run may use, over all attempts. The trainer saves a checkpoint and stops before it is exceeded; with a larger budget the run goes on.',
    ),
  [
    {
      rule: 'has(self.maxGpuHours) || has(self.maxCost)',
      message: 'set maxGpuHours, maxCost or both',
    },
  ],
);

const specFields = {
  task: z
    .enum(taskNames)
    .describe(
      `What the model learns. ${taskNames.map((name) => `${name} ${tasks[name].meaning}.`).join(' ')}`,
    ),
  model: source('The pre-trained model: a folder with config.json, model.safetensors and tokenizer.json.'),
  dataset,
  training,
  evaluation,
  gate: gate.optional(),
  output: source('Where checkpoints, the tuned model and the report are written.'),
  checkpoints: z
    .strictObject({
      everySteps: z
        .int32()
        .min(1)
        .max(1_000_000)
        .default(200)
        .describe('Optimiser steps between checkpoints.'),
      keep: z
        .int32()
        .min(1)
        .max(10)
        .default(2)
        .describe('Complete checkpoints kept; older ones are removed.'),
    })
    .prefault({})
    .describe('Checkpoints from which an interrupted run goes on.'),
  runtimeRef: z
    .strictObject({ name: objectName('Name of the FineTuneRuntime.').default('default') })
    .prefault({})
    .describe('The FineTuneRuntime that the platform team offers.'),
  resources: z
    .strictObject({
      gpus: z
        .int32()
        .min(0)
        .max(8)
        .default(1)
        .describe(
          'Accelerators of the pod; their resource name comes from the runtime. The trainer computes on one.',
        ),
      cpu: cpuQuantity(
        'CPU request of the trainer; default and upper bound come from the runtime.',
      ).optional(),
      memory: memoryQuantity(
        'Memory request and limit of the trainer; default and upper bound come from the runtime.',
      ).optional(),
    })
    .prefault({})
    .describe('What the trainer pod asks for.'),
  retry: z
    .strictObject({
      limit: z
        .int32()
        .min(0)
        .max(20)
        .default(3)
        .describe(
          'Retries after failures that may pass, such as a lost connection. Preemption and node loss do not count.',
        ),
      outOfMemoryLimit: z
        .int32()
        .min(0)
        .max(10)
        .default(3)
        .describe(
          'Retries after the trainer ran out of memory, each with half of training.batchSize and so many more gradientAccumulationSteps that a step learns from the same rows.',
        ),
    })
    .prefault({})
    .describe('What happens after a failure that is not the fault of the job.'),
  activeDeadlineSeconds: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Longest time that trainers may run, over all attempts, in seconds. Waiting, queueing and suspension do not count. When it is over, the trainer saves a checkpoint and the run fails with DeadlineExceeded.',
    ),
  pendingDeadlineSeconds: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Longest time that the run may wait at a time before a pod starts, in seconds: for a runtime, a queue, a node, a volume or an image. Suspension does not count. When it is over, the run fails with PendingDeadlineExceeded and says what it waited for.',
    ),
  budget: budget.optional(),
  ttlSecondsAfterFinished: z
    .int32()
    .min(0)
    .optional()
    .describe(
      'The job object and all it made in the cluster are deleted so many seconds after its end; model, checkpoints and report stay. Without it the job is kept. Leave it out where a GitOps tool would make the job again.',
    ),
  suspend: z
    .boolean()
    .default(false)
    .describe(
      'true stops the pods after a checkpoint and keeps the job; false goes on from the last checkpoint.',
    ),
  cancel: z
    .boolean()
    .default(false)
    .describe(
      'true ends the run for good: the trainer saves a checkpoint, and nothing is evaluated or published. It cannot be taken back within a run.',
    ),
  dryRun: z
    .boolean()
    .default(false)
    .describe('Stop after preflight: the data is checked and the plan is shown, nothing is trained.'),
  runId: z
    .string()
    .min(1)
    .max(32)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .default('1')
    .describe('Name of the run. A new value allows a changed spec and starts a new run.'),
};

/** Fields that may change while a run is under way. */
const mutable = new Set([
  'suspend',
  'cancel',
  'activeDeadlineSeconds',
  'pendingDeadlineSeconds',
  'budget',
  'ttlSecondsAfterFinished',
  'runId',
]);

const immutability = Object.entries(specFields)
  .filter(([name]) => !mutable.has(name))
  .map(([name, field]) => ({
    rule: field.safeParse(undefined).success
      ? `self.runId != oldSelf.runId || (has(self.${name}) == has(oldSelf.${name}) && (!has(self.${name}) || self.${name} == oldSelf.${name}))`
      : `self.runId != oldSelf.runId || self.${name} == oldSelf.${name}`,
    message: `${name} cannot change within a run; set a new runId to start a new run with it`,
    fieldPath: `.${name}`,
  }));

export const fineTuneJobSpec = withRules(z.strictObject(specFields).describe('The run that is wanted.'), [
  {
    rule: '!has(self.training.earlyStopping) || has(self.dataset.splits.validation) || (has(self.dataset.fractions) && has(self.dataset.fractions.validation))',
    message:
      'early stopping needs a validation split: set dataset.splits.validation or dataset.fractions.validation',
    fieldPath: '.training.earlyStopping',
  },
  {
    rule: "self.training.schedule != 'ReduceLROnPlateau' || has(self.dataset.splits.validation) || (has(self.dataset.fractions) && has(self.dataset.fractions.validation))",
    message:
      'ReduceLROnPlateau needs a validation split: set dataset.splits.validation or dataset.fractions.validation',
    fieldPath: '.training.schedule',
  },
  {
    rule: '!has(self.gate) || !has(self.gate.minimumGainOverBaseline) || self.evaluation.baseline',
    message: 'minimumGainOverBaseline needs evaluation.baseline: true',
    fieldPath: '.gate.minimumGainOverBaseline',
  },
  {
    rule: '!has(self.budget) || self.resources.gpus > 0',
    message: 'a budget counts accelerators, and resources.gpus is 0; use activeDeadlineSeconds',
    fieldPath: '.budget',
  },
  {
    rule: 'self.runId != oldSelf.runId || !oldSelf.cancel || self.cancel',
    message:
      'a run cannot be taken up again once it is cancelled; set a new runId together with cancel: false',
    fieldPath: '.cancel',
  },
  ...taskRules,
  ...immutability,
]);

export const fineTuneJob = withRules(
  z.object({ spec: fineTuneJobSpec, status: fineTuneJobStatus.optional() }),
  [
    {
      rule: 'size(self.metadata.name) <= 63',
      message: 'the name of a FineTuneJob has at most 63 characters',
    },
  ],
).describe('FineTuneJob fine-tunes a pre-trained language model and compares it with the original.');

/** Spec with every default filled in, as the API server stores it. */
export type FineTuneJobSpec = z.output<typeof fineTuneJobSpec>;
