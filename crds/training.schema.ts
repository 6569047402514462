/** How a FineTuneJob trains: names and defaults of Hugging Face Transformers. */
import * as z from 'zod';
import { type CelRule, decimal, fraction, withRules } from './fields.ts';
import { metricNames } from './tasks.ts';

/** Its defaults also hold where a MaskedLM job says nothing about masking. */
export const masking = z.strictObject({
  probability: fraction('Part of the tokens that the model has to guess.', { above: 0, below: 1 }).default(
    '0.15',
  ),
  wholeWord: z
    .boolean()
    .default(false)
    .describe('Choose whole words instead of single tokens: all tokens of a word or none.'),
});

/** Settings of one choice of an enum: defaults apply also where the object is left out. */
export const sgd = z
  .strictObject({
    momentum: fraction('Part of the last change that is kept.', { below: 1 }).default('0'),
  })
  .describe('Settings of the optimizer SGD.');

export const cosineWithRestarts = z
  .strictObject({
    numCycles: z.int32().min(1).max(1000).default(1).describe('Half cosines from the peak to zero.'),
  })
  .describe('Settings of the schedule CosineWithRestarts.');

export const polynomial = z
  .strictObject({
    power: decimal('Exponent of the part of the steps that is left; 1 is a line.', {
      above: 0,
      atMost: 100,
    }).default('1'),
    endLearningRate: decimal('Learning rate at the end, below learningRate.').default('1e-7'),
  })
  .describe('Settings of the schedule Polynomial.');

export const reduceLROnPlateau = z
  .strictObject({
    factor: fraction('What the learning rate is multiplied with.', { above: 0, below: 1 }).default('0.1'),
    patience: z
      .int32()
      .min(0)
      .max(1000)
      .default(10)
      .describe('Evaluations without improvement before the rate is lowered at the next one.'),
    threshold: fraction('Smallest change that counts as an improvement, relative to the best value.').default(
      '0.0001',
    ),
    cooldown: z
      .int32()
      .min(0)
      .max(1000)
      .default(0)
      .describe('Evaluations after a lowering that do not count as bad.'),
    minLearningRate: decimal('The learning rate is not lowered further.').default('0'),
  })
  .describe(
    'Settings of the schedule ReduceLROnPlateau. The metric is that of earlyStopping, without it the loss.',
  );

const ema = z
  .strictObject({
    decay: fraction(
      'Part of the average that stays in each step. The average spans about 1 / (1 - decay) steps, which should be a small part of all steps.',
      { above: 0, below: 1 },
    ).default('0.999'),
  })
  .describe(
    'Keeps an exponential moving average of the weights: after the first step the weights themselves, then decay * average + (1 - decay) * weights. The average is what is evaluated and published.',
  );

const fields = z
  .strictObject({
    epochs: decimal('Passes over the training rows; fractions are allowed.', {
      above: 0,
      atMost: 1000,
    }).default('3'),
    batchSize: z
      .int32()
      .min(1)
      .max(1024)
      .default(16)
      .describe(
        'Rows that are computed at a time; this and maxLength decide how much memory training takes.',
      ),
    gradientAccumulationSteps: z
      .int32()
      .min(1)
      .max(1024)
      .default(1)
      .describe(
        'Batches whose gradients are summed before the weights change: a step learns from batchSize times so many rows. 2 batches of 8 rows learn what 1 batch of 16 learns, in half the memory for activations.',
      ),
    gradientCheckpointing: z
      .boolean()
      .default(false)
      .describe(
        'Keep only the input of each layer for its gradient and compute the layer again: less memory, more time, the same numbers up to rounding.',
      ),
    bf16: z
      .boolean()
      .default(false)
      .describe(
        "Compute matrix products in bfloat16, as PyTorch's autocast does: less time and memory where the hardware has units for it (AVX512_BF16 or AMX on a CPU, where a run without them is refused; on a GPU Ampere and newer, not measured). Weights, gradients, optimiser state, softmax, normalisation and losses stay float32, and so does the published model. As with the Hugging Face Trainer it holds for evaluation too, that of the base model included.",
      ),
    learningRate: decimal('Peak learning rate.', { above: 0 }).default('5e-5'),
    schedule: z
      .enum([
        'Linear',
        'Cosine',
        'CosineWithRestarts',
        'Polynomial',
        'Constant',
        'ConstantWithWarmup',
        'InverseSqrt',
        'ReduceLROnPlateau',
      ])
      .default('Linear')
      .describe(
        'Course of the learning rate after the warm-up. Linear and Cosine end at zero; Constant and ReduceLROnPlateau have no warm-up; ReduceLROnPlateau lowers the rate when the metric on the validation split stops improving.',
      ),
    cosineWithRestarts: cosineWithRestarts.optional(),
    polynomial: polynomial.optional(),
    reduceLROnPlateau: reduceLROnPlateau.optional(),
    warmup: z
      .string()
      .max(24)
      .regex(/^(0(\.[0-9]{1,20})?|[1-9][0-9]{0,8})$/)
      .default('0.06')
      .describe(
        'Steps over which the learning rate rises from zero: below 1 the part of all steps, else their number. In quotes, for example "0.06" or "500".',
      ),
    optimizer: z
      .enum(['AdamW', 'SGD', 'Adafactor'])
      .default('AdamW')
      .describe(
        'How weights follow their gradients. AdamW remembers two numbers for each weight, SGD one or none, Adafactor one for each row and column of a matrix.',
      ),
    sgd: sgd.optional(),
    weightDecay: decimal(
      'Weight decay; biases and normalisation layers are left out. Decoupled in AdamW and Adafactor, part of the gradient in SGD.',
    ).default('0.01'),
    maxGradNorm: decimal('Gradients are scaled down to this global norm; "0" switches clipping off.').default(
      '1.0',
    ),
    labelSmoothing: fraction(
      "Part of each label's probability that all classes share while training, against too much confidence. Evaluation measures the plain loss, so that runs can be compared.",
      { below: 1 },
    ).default('0'),
    classWeights: z
      .enum(['Balanced'])
      .optional()
      .describe(
        'Against imbalance, with one label a text: Balanced lets each row weigh as much as its label is rare, rows / (labels * rows of the label), so that all labels weigh the same together. Default: each row weighs the same.',
      ),
    focalLossGamma: decimal(
      'Against imbalance, with one label a text: the loss of a row is multiplied by (1 - p)^gamma, where p is the probability of its label, so that rows that are right already weigh less. 2 is usual. Default: the plain loss.',
      { atMost: 10 },
    ).optional(),
    rDropAlpha: decimal(
      'Switches R-Drop on, against overfitting: each batch is predicted twice under different dropout masks, and the divergence of the predictions, times this, is part of the loss. A step takes twice the time.',
      { above: 0, atMost: 100 },
    ).optional(),
    freeze: z
      .array(
        z
          .string()
          .max(253)
          .regex(/^([A-Za-z0-9_]+|\*|[0-9]+-[0-9]+)(\.([A-Za-z0-9_]+|\*|[0-9]+-[0-9]+))*$/),
      )
      .min(1)
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe(
        'Weights that stay as they are, by the beginning of their names in the checkpoint up to a dot; * stands for any part and 0-3 for a number from 0 to 3. bert.embeddings and bert.encoder.layer.0-3 freeze the embeddings and four layers of BERT. Frozen weights below all others save time and memory.',
      ),
    layerwiseLearningRateDecay: fraction(
      'What the learning rate of a layer is multiplied with for the layer below it; embeddings are the lowest, the head has the full rate.',
      { above: 0 },
    ).optional(),
    ema: ema.optional(),
    maxLength: z
      .int32()
      .min(8)
      .max(8192)
      .default(256)
      .describe('Tokens kept of each text, special tokens included; with packing the tokens of a row.'),
    trainSamplingStrategy: z
      .enum(['GroupByLength', 'TokenBudget'])
      .default('GroupByLength')
      .describe(
        'How rows of like length come into one batch, so that little of it is padding. GroupByLength: batchSize rows from a random order, sorted by length within 50 batches. TokenBudget: as many rows as batchSize rows of maxLength tokens would fill, padding included, so that batches of short texts have more rows and the epoch has fewer steps; the rows of a batch are neighbours in length, the order of the batches is random.',
      ),
    packing: z
      .enum(['None', 'BestFitDecreasing', 'Wrapped'])
      .optional()
      .describe(
        "Texts side by side in rows of maxLength tokens; batchSize then counts such rows. BestFitDecreasing: whole texts that do not see each other, each learns as it would alone. Wrapped, for MaskedLM: all texts one after the other, cut into rows, so that nothing is cut off or padded and tokens see the whole row (group_texts of Hugging Face's run_mlm); evaluation reads each text by itself, in rows of maxLength. None: each text has a row. Default: with MaskedLM and GroupByLength and without stride Wrapped, else None.",
      ),
    stride: z
      .int32()
      .min(0)
      .max(8191)
      .optional()
      .describe(
        'With it a text that is longer than maxLength is not cut off but cut into windows of maxLength tokens, and each window shares so many tokens of the text with the next one: what Hugging Face tokenizers do with return_overflowing_tokens and stride. For TokenClassification and MaskedLM. Metrics count each word once, in the window where it has the most text around it.',
      ),
    dropout: fraction("Dropout probability in place of the model's own.", { below: 1 }).optional(),
    masking: masking
      .optional()
      .describe(
        'What MaskedLM hides: of the chosen tokens 80 % become the mask token, 10 % a random token, 10 % stay. Default: 15 % of the tokens, one by one.',
      ),
    seed: z
      .int32()
      .min(0)
      .default(42)
      .describe('Seed of the split, the order of rows, masks, dropout and new weights.'),
    earlyStopping: z
      .strictObject({
        metric: z
          .enum(metricNames)
          .default('loss')
          .describe('Metric on the validation split; each task has its own.'),
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

/** Fields that change the loss of one label a text, and of nothing else. */
export const imbalanceFields = ['classWeights', 'focalLossGamma'] as const;

/** Refuses the settings of a choice that was not made: they would have no effect. */
function onlyWith(field: string, member: string, value: string): CelRule {
  return {
    rule: `!has(self.${member}) || self.${field} == '${value}'`,
    message: `${member} has an effect only with ${field}: ${value}`,
    fieldPath: `.${member}`,
  };
}

export const training = withRules(fields, [
  onlyWith('schedule', 'cosineWithRestarts', 'CosineWithRestarts'),
  onlyWith('schedule', 'polynomial', 'Polynomial'),
  onlyWith('schedule', 'reduceLROnPlateau', 'ReduceLROnPlateau'),
  onlyWith('optimizer', 'sgd', 'SGD'),
  ...imbalanceFields.map(
    (field): CelRule => ({
      rule: `!has(self.${field}) || double(self.labelSmoothing) == 0.0`,
      message: `set only one of ${field} and labelSmoothing`,
      fieldPath: `.${field}`,
    }),
  ),
  {
    rule: "!has(self.packing) || self.packing == 'None' || self.trainSamplingStrategy == 'GroupByLength'",
    message: 'packed rows are all full: set packing: None to choose them by a budget of tokens',
    fieldPath: '.packing',
  },
  {
    rule: "!has(self.stride) || !has(self.packing) || self.packing != 'Wrapped'",
    message: 'wrapped texts have no windows: leave stride or packing out',
    fieldPath: '.stride',
  },
  {
    rule: '!has(self.stride) || self.stride < self.maxLength',
    message: 'stride must be less than maxLength, special tokens left out',
    fieldPath: '.stride',
  },
  {
    rule: '!has(self.rDropAlpha) || !has(self.dropout) || double(self.dropout) > 0.0',
    message: 'rDropAlpha has no effect without dropout',
    fieldPath: '.rDropAlpha',
  },
  {
    rule: '!has(self.polynomial) || double(self.polynomial.endLearningRate) < double(self.learningRate)',
    message: 'endLearningRate must be less than learningRate',
    fieldPath: '.polynomial.endLearningRate',
  },
]);
