/** status.evaluation of a FineTuneJob: the answer to "is it better than the base model, and on whom is it worse?" */
import * as z from 'zod';
import { count, statusDecimal, text } from './fields.ts';
import { type MetricName, metricNames, metrics } from './tasks.ts';
import { maxSliceColumns } from './trainer-contract.ts';

type Decimals = Record<MetricName, z.ZodOptional<z.ZodString>>;
const metricDecimals = z.strictObject(
  Object.fromEntries(
    metricNames.map((name) => [name, statusDecimal(metrics[name].meaning).optional()]),
  ) as Decimals,
);

const interval = {
  low: statusDecimal('Lower end of the 95 % interval (paired bootstrap).'),
  high: statusDecimal('Upper end of the 95 % interval (paired bootstrap).'),
};

const slices = z.strictObject({
  column: text(128, 'Column whose values name the slices.'),
  worst: z
    .strictObject({
      slice: text(128, 'Its value in the column.'),
      rows: count('Its rows in the test split.'),
      baseline: statusDecimal('The base model there.').optional(),
      final: statusDecimal('The tuned model there.'),
    })
    .optional()
    .describe('Where the tuned model is worst, among the slices with enough rows.'),
  gap: z
    .strictObject({
      baseline: statusDecimal('Of the base model.').optional(),
      final: statusDecimal('Of the tuned model.'),
    })
    .optional()
    .describe('Distance between best and worst slice.'),
  growth: z
    .strictObject({ value: statusDecimal('Above zero the gap of the tuned model is larger.'), ...interval })
    .optional()
    .describe('Growth of the gap over that of the base model on the same rows.'),
});

const overfitting = z
  .strictObject({
    trainLoss: statusDecimal('Training loss, mean of the last 10 steps.'),
    evalLoss: statusDecimal('Loss on the validation split, last evaluation.'),
    lowestEvalLoss: statusDecimal('Lowest loss on the validation split.'),
    lowestStep: count('Step of the lowest loss on the validation split.'),
    bestStep: count('Step whose weights are kept.'),
    stoppedEarly: z.boolean().describe('Whether early stopping ended the training.'),
  })
  .describe('How training and validation loss stand to each other; the condition Overfitting judges them.');

export const evaluation = z
  .strictObject({
    rows: count('Rows of the test split.').optional(),
    primary: z
      .strictObject({
        metric: text(32, 'That of the gate, else the main one of the task.'),
        baseline: statusDecimal('The base model.').optional(),
        final: statusDecimal('The tuned model.').optional(),
      })
      .optional()
      .describe('The metric by which the models are compared, in short.'),
    baseline: metricDecimals
      .optional()
      .describe('The base model with a new head; known while training goes on.'),
    final: metricDecimals.optional().describe('The tuned model.'),
    gain: z
      .strictObject({
        metric: text(32, 'Metric compared.'),
        value: statusDecimal('By how much the tuned model is better; below zero it is worse.'),
        ...interval,
      })
      .optional()
      .describe('Gain over the base model on the same rows.'),
    slices: z
      .array(slices)
      .max(maxSliceColumns)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('The primary metric by groups of rows, for each column of dataset.slices.'),
    overfitting: overfitting.optional(),
  })
  .describe('Comparison on the test split.');
