/** What the trainer measured, as status.evaluation holds it. */
import { type FineTuneJobStatus, maxListBytes } from '../../crds/status.schema.ts';
import { type MetricName, metricNames } from '../../crds/tasks.ts';
import type { Evaluation, MetricValues, Overfitting, SliceSummary } from '../../crds/trainer-contract.ts';
import { present } from './present.ts';
import { decimal, leading, line } from './text.ts';

type EvaluationStatus = NonNullable<FineTuneJobStatus['evaluation']>;

/** A number that the contract has already found to be finite. */
const number = (value: number) => decimal(value) ?? '0';

export function evaluationOf({ rows, baseline, final, gain, slices, overfitting }: Evaluation) {
  return present({
    rows,
    baseline: baseline && metricsOf(baseline),
    final: metricsOf(final),
    gain: gain && { metric: line(gain.metric, 32), ...estimateOf(gain) },
    slices: slices && leading(slices.map(sliceOf), maxListBytes.slices),
    overfitting: overfitting && overfittingOf(overfitting),
  });
}

export function metricsOf(values: MetricValues) {
  const decimals = metricNames.map((name) => [name, decimal(values[name])] as const);
  return present(Object.fromEntries(decimals) as Record<MetricName, string | undefined>);
}

/** The same with the metric by which the models are compared, in short. */
export function withPrimary(evaluation: EvaluationStatus, metric: MetricName): EvaluationStatus {
  const { baseline, final } = evaluation;
  return {
    ...evaluation,
    primary: present({ metric, baseline: baseline?.[metric], final: final?.[metric] }),
  };
}

function estimateOf({ value, low, high }: { value: number; low: number; high: number }) {
  return { value: number(value), low: number(low), high: number(high) };
}

function sliceOf({ column, worst, gap, growth }: SliceSummary) {
  return present({
    column: line(column, 64),
    worst:
      worst &&
      present({
        slice: line(worst.slice, 64),
        rows: worst.rows,
        baseline: decimal(worst.baseline),
        final: number(worst.final),
      }),
    gap: gap && present({ baseline: decimal(gap.baseline), final: number(gap.final) }),
    growth: growth && estimateOf(growth),
  });
}

function overfittingOf({ trainLoss, evalLoss, lowestEvalLoss, ...rest }: Overfitting) {
  return {
    ...rest,
    trainLoss: number(trainLoss),
    evalLoss: number(evalLoss),
    lowestEvalLoss: number(lowestEvalLoss),
  };
}
