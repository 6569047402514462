/** FineTuneJob: one fine-tuning run, owned by the data scientist. Source of the CRD, the types and the field reference. */
import { z } from 'zod';
import { dataset } from './dataset.schema.ts';
import { cpuQuantity, memoryQuantity, objectName, withRules } from './fields.ts';
import { gate } from './gate.schema.ts';
import { limits } from './limits.schema.ts';
import { source } from './source.schema.ts';
import { fineTuneJobStatus } from './status.schema.ts';
import { taskRules } from './task-rules.ts';
import { problemTypeNames, problemTypes, taskNames, tasks } from './tasks.ts';
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

/** Value of managedBy that means the operator itself. */
export const ownController = 'finetune.dev/operator';

const specFields = {
  task: z
    .enum(taskNames)
    .describe(`What the model learns. ${taskNames.map((name) => `${name} ${tasks[name]}.`).join(' ')}`),
  problemType: z
    .enum(problemTypeNames)
    .optional()
    .describe(
      `What SequenceClassification predicts for a text: ${problemTypeNames.map((name) => `${name} ${problemTypes[name]}`).join(', ')}. Default: SingleLabelClassification.`,
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
  ...limits,
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
  managedBy: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
    .optional()
    .describe(
      `Controller that works on the job, for example one that sends it to another cluster. This operator leaves a job alone whose value is not ${ownController}. It never changes.`,
    ),
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
  .filter(([name]) => !mutable.has(name) && name !== 'managedBy')
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
    rule: '!has(self.gate) || !has(self.gate.slices) || has(self.dataset.slices)',
    message: 'there are no slices: name their columns in dataset.slices',
    fieldPath: '.gate.slices',
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
  {
    rule: 'has(self.managedBy) == has(oldSelf.managedBy) && (!has(self.managedBy) || self.managedBy == oldSelf.managedBy)',
    message: 'managedBy cannot change; make another job',
    fieldPath: '.managedBy',
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
