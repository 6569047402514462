/** The acceptance gate of a FineTuneJob: what the tuned model has to reach to be published. */
import * as z from 'zod';
import { dataChecks } from './data-checks.ts';
import { type CelRule, decimal, fraction, withRules } from './fields.ts';
import { metricNames, metrics } from './tasks.ts';

const lessIsBetter = metricNames.filter((name) => metrics[name].better === 'less');
const lessIsBetterList = `[${lessIsBetter.map((name) => `'${name}'`).join(', ')}]`;

/** The bound that fits the metric; `part` is the object that holds it, without one the gate itself. */
function directionRules(part?: string): CelRule[] {
  const [path, whole] = part === undefined ? ['', ''] : [`${part}.`, `!has(self.${part}) || `];
  return [
    {
      rule: `${whole}!has(self.${path}minimum) || !(self.metric in ${lessIsBetterList})`,
      message: `less is better of ${lessIsBetter.join(', ')}: set maximum`,
      fieldPath: `.${path}minimum`,
    },
    {
      rule: `${whole}!has(self.${path}maximum) || self.metric in ${lessIsBetterList}`,
      message: 'more of this metric is better: set minimum',
      fieldPath: `.${path}maximum`,
    },
  ];
}

/** A difference of two values of a metric that goes from 0 to 1 (correlations lie there too once they are any use). */
function atMostOne(path: string, what: string): CelRule {
  const whole = path.includes('.') ? `!has(self.${path.split('.')[0]}) || ` : '';
  return {
    rule: `${whole}!has(self.${path}) || self.metric in ${lessIsBetterList} || double(self.${path}) <= 1.0`,
    message: `this metric goes from 0 to 1, and no ${what} can be larger`,
    fieldPath: `.${path}`,
  };
}

const slices = withRules(
  z
    .strictObject({
      minimum: fraction('Smallest acceptable value of the worst slice.').optional(),
      maximum: decimal(
        'Largest acceptable value of the worst slice, with a metric of which less is better.',
      ).optional(),
      maximumGap: decimal('Largest acceptable distance between the best and the worst slice.').optional(),
    })
    .describe(
      `What the metric has to be in each column of dataset.slices. Slices with fewer than ${dataChecks.smallSlices.threshold} test rows do not count; preflight refuses data without enough others.`,
    ),
  [
    {
      rule: 'has(self.minimum) || has(self.maximum) || has(self.maximumGap)',
      message: 'set minimum or maximum, maximumGap, or both',
    },
  ],
);

export const gate = withRules(
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
      slices: slices.optional(),
    })
    .describe('Acceptance gate: a model that does not pass is Rejected and not published.'),
  [
    {
      rule: 'has(self.minimum) || has(self.maximum) || has(self.minimumGainOverBaseline) || has(self.slices)',
      message: 'set minimum or maximum, minimumGainOverBaseline, or slices',
    },
    ...directionRules(),
    ...directionRules('slices'),
    atMostOne('minimumGainOverBaseline', 'gain'),
    atMostOne('slices.maximumGap', 'gap'),
  ],
);
