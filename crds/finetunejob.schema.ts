/** FineTuneJob: one fine-tuning run, owned by the data scientist. Source of the CRD, the types and the field reference. */
import * as z from 'zod';
import { dataset } from './dataset.schema.ts';
import { type CelRule, cpuQuantity, memoryQuantity, objectName, withRules } from './fields.ts';
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

const immutable = Object.keys(specFields).filter((name) => !mutable.has(name) && name !== 'managedBy');

/** Most often nothing has changed, so that is asked before the run. */
function immutability(name: string): CelRule {
  return {
    rule: `${isUnchanged(name)} || self.runId != oldSelf.runId`,
    message: `${name} cannot change within a run; set a new runId to start a new run with it`,
    fieldPath: `.${name}`,
  };
}

/** CEL for "the field is what it was". A field with a default is always there. */
function isUnchanged(name: string): string {
  const isSame = `self.${name} == oldSelf.${name}`;
  const { data, success } = (specFields as Record<string, z.ZodType>)[name]!.safeParse(undefined);
  if (!success || data !== undefined) return isSame;
  return `(has(self.${name}) ? has(oldSelf.${name}) && ${isSame} : !has(oldSelf.${name}))`;
}

/**
 * CEL for "the status is being written": such a write leaves the spec alone, and one of the spec the status; the API server
 * sees to both. It stands before comparisons that would cost much at each write of the status, and is true for most of these.
 */
const statusIsWritten = ['waitingSince.hasValue()', 'progress.?step.orValue(0)', 'preflight.hasValue()']
  .map((part) => `self.?status.?${part} != oldSelf.?status.?${part}`)
  .join(' || ');

/** Fields with so many members that they are compared only where the spec may have changed. */
const large = new Set(['training', 'dataset']);

/** The same rule at the root of the resource, where the status can be seen too. */
function fromRoot({ rule, message, fieldPath }: CelRule): CelRule {
  return {
    rule: `${statusIsWritten} || ${rule.replaceAll(/\b(self|oldSelf)\./g, '$1.spec.')}`,
    message,
    fieldPath: `.spec${fieldPath}`,
  };
}

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
    rule: '!oldSelf.cancel || self.cancel || self.runId != oldSelf.runId',
    message:
      'a run cannot be taken up again once it is cancelled; set a new runId together with cancel: false',
    fieldPath: '.cancel',
  },
  {
    rule: isUnchanged('managedBy'),
    message: 'managedBy cannot change; make another job',
    fieldPath: '.managedBy',
  },
  ...taskRules,
  ...immutable.filter((name) => !large.has(name)).map(immutability),
]);

export const fineTuneJob = withRules(
  z.object({ spec: fineTuneJobSpec, status: fineTuneJobStatus.optional() }),
  [
    {
      rule: 'size(self.metadata.name) <= 63',
      message: 'the name of a FineTuneJob has at most 63 characters',
    },
    ...immutable.filter((name) => large.has(name)).map((name) => fromRoot(immutability(name))),
  ],
).describe('FineTuneJob fine-tunes a pre-trained language model and compares it with the original.');

/** Spec with every default filled in, as the API server stores it. */
export type FineTuneJobSpec = z.output<typeof fineTuneJobSpec>;
