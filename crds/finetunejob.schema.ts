/** FineTuneJob: one fine-tuning run, owned by the data scientist. Source of the CRD, the types and the field reference. */
import { z } from 'zod';
import {
  cpuQuantity,
  decimal,
  fraction,
  memoryQuantity,
  objectName,
  relativePath,
  withRules,
} from './fields.ts';
import { source } from './source.schema.ts';
import { fineTuneJobStatus } from './status.schema.ts';

const column = (description: string) => z.string().min(1).max(128).describe(description);

const splits = withRules(
  z
    .strictObject({
      train: relativePath('File with the rows to train on, relative to the source.'),
      validation: relativePath('File with the rows for evaluation during training.').optional(),
      test: relativePath('File with the rows for the final comparison with the base model.').optional(),
    })
    .describe('Files of the dataset by their use.'),
  [
    {
      rule: '!has(self.test) || (self.test != self.train && (!has(self.validation) || self.test != self.validation))',
      message: 'the test file must differ from the others: rows that were trained on prove nothing',
      fieldPath: '.test',
    },
    {
      rule: '!has(self.validation) || self.validation != self.train',
      message: 'the validation file must differ from the train file',
      fieldPath: '.validation',
    },
  ],
);

const fractions = withRules(
  z
    .strictObject({
      validation: fraction('Part of the training rows used for evaluation during training.', {
        above: 0,
        below: 1,
      }).optional(),
      test: fraction('Part of the training rows used for the final comparison.', {
        above: 0,
        below: 1,
      }).optional(),
    })
    .describe(
      'Parts of the train file that are set aside where a split has no file of its own. Drawn with training.seed.',
    ),
  [
    {
      rule: '(has(self.validation) ? double(self.validation) : 0.0) + (has(self.test) ? double(self.test) : 0.0) < 1.0',
      message: 'validation and test together must leave rows to train on: their sum must be less than 1',
    },
  ],
);

const dataset = withRules(
  z
    .strictObject({
      source: source('Folder that holds the files of the dataset.'),
      format: z
        .enum(['JSONL', 'CSV'])
        .default('JSONL')
        .describe('Format of the files. CSV files have a header line.'),
      columns: withRules(
        z.strictObject({
          text: column('Column with the text.').default('text'),
          label: column('Column with the label: a string, an integer or a boolean.').default('label'),
        }),
        [{ rule: 'self.text != self.label', message: 'text and label must be two columns' }],
      )
        .prefault({})
        .describe('Names of the columns that the task reads.'),
      labels: z
        .array(z.string().min(1).max(128))
        .min(2)
        .max(256)
        .meta({
          // atomic, not set: CEL compares sets without their order, and the order here is that of the ids.
          'x-kubernetes-list-type': 'atomic',
          'x-kubernetes-validations': [
            {
              rule: 'self.all(x, self.exists_one(y, x == y))',
              message: 'each label may be listed only once',
            },
          ],
        })
        .optional()
        .describe(
          'The labels in the order of their ids. A row with any other label is an error. Without it the labels are those of the train split, sorted.',
        ),
      splits,
      fractions: fractions.optional(),
    })
    .describe('The labelled data.'),
  [
    {
      rule: 'has(self.splits.test) != (has(self.fractions) && has(self.fractions.test))',
      message: 'held-out data is needed: set exactly one of splits.test and fractions.test',
      fieldPath: '.splits',
    },
    {
      rule: '!(has(self.splits.validation) && has(self.fractions) && has(self.fractions.validation))',
      message: 'set at most one of splits.validation and fractions.validation',
      fieldPath: '.splits',
    },
  ],
);

const metricName = z.enum(['accuracy', 'f1', 'weightedF1', 'loss']);

const training = z
  .strictObject({
    epochs: decimal('Passes over the training rows; fractions are allowed.', {
      above: 0,
      atMost: 1000,
    }).default('3'),
    batchSize: z.int32().min(1).max(1024).default(16).describe('Rows in a mini-batch.'),
    learningRate: decimal('Peak learning rate.', { above: 0 }).default('5e-5'),
    schedule: z
      .enum(['Linear', 'Cosine', 'Constant'])
      .default('Linear')
      .describe(
        'Course of the learning rate after the warm-up: to zero in a line or a half cosine, or constant.',
      ),
    warmup: fraction('Part of all steps over which the learning rate rises from zero.').default('0.06'),
    weightDecay: decimal('Decoupled weight decay of AdamW; biases and layer norms are left out.').default(
      '0.01',
    ),
    maxGradNorm: decimal('Gradients are scaled down to this global norm; "0" switches clipping off.').default(
      '1.0',
    ),
    maxLength: z
      .int32()
      .min(8)
      .max(8192)
      .default(256)
      .describe('Tokens kept of each text, special tokens included.'),
    dropout: fraction("Dropout probability in place of the model's own.", { below: 1 }).optional(),
    seed: z
      .int32()
      .min(0)
      .default(42)
      .describe('Seed of the split, the order of rows, dropout and new weights.'),
    earlyStopping: z
      .strictObject({
        metric: metricName.default('loss').describe('Metric on the validation split.'),
        patience: z
          .int32()
          .min(1)
          .max(1000)
          .default(3)
          .describe('Evaluations without improvement before training stops.'),
        minDelta: decimal('Smallest change that counts as an improvement.').default('0'),
      })
      .optional()
      .describe('Stops training when the metric no longer improves. The best weights are kept either way.'),
  })
  .prefault({})
  .describe('How the model is trained. Names and defaults are those of Hugging Face Transformers.');

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

const gate = withRules(
  z
    .strictObject({
      metric: z.enum(['accuracy', 'f1', 'weightedF1']).describe('Metric on the test split.'),
      minimum: fraction('Smallest acceptable value.').optional(),
      minimumGainOverBaseline: fraction('Smallest acceptable gain over the base model.').optional(),
    })
    .describe('Acceptance gate: a model that does not pass is Rejected and not published.'),
  [
    {
      rule: 'has(self.minimum) || has(self.minimumGainOverBaseline)',
      message: 'set minimum, minimumGainOverBaseline or both',
    },
  ],
);

const specFields = {
  task: z
    .enum(['SequenceClassification'])
    .describe('What the model learns. SequenceClassification puts each text into one of several classes.'),
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
    })
    .prefault({})
    .describe('What happens after a failure that is not the fault of the job.'),
  suspend: z
    .boolean()
    .default(false)
    .describe(
      'true stops the pods after a checkpoint and keeps the job; false goes on from the last checkpoint.',
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
const mutable = new Set(['suspend', 'runId']);

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
    rule: '!has(self.gate) || !has(self.gate.minimumGainOverBaseline) || self.evaluation.baseline',
    message: 'minimumGainOverBaseline needs evaluation.baseline: true',
    fieldPath: '.gate.minimumGainOverBaseline',
  },
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
