import { improvement, type MetricName } from '../../crds/tasks.ts';
import type { MetricValues, RunConfig } from '../../crds/trainer-contract.ts';
import { quote } from '../data/record.ts';
import type { SliceScores } from '../metrics/slices.ts';

type Values = MetricValues;

/** Differences of decimals such as 0.94 - 0.93 fall short of 0.01 by a rounding error; it must not reject a model. */
const ROUNDING = 1e-9;

type Measured = {
  final: Values;
  baseline?: Values | undefined;
  slices: readonly Pick<SliceScores, 'column' | 'worst' | 'gap'>[];
};

/**
 * Compares what was measured on the test split with the acceptance gate.
 * @returns the reasons for which the model is rejected; none = it passes
 */
export function gateFailures(
  gate: RunConfig['gate'],
  { final, baseline, slices: columns }: Measured,
): string[] {
  if (gate === undefined) return [];
  const { metric, minimumGainOverBaseline: minimumGain, slices } = gate;
  const value = final[metric];
  if (value === undefined) return [`${metric} was not measured`];
  const reasons = outside(metric, value, gate);
  if (minimumGain !== undefined) {
    const base = baseline?.[metric];
    const gain = base === undefined ? undefined : improvement(metric, value, base);
    if (gain === undefined) reasons.push('the gain over the base model was not measured');
    else if (gain < minimumGain - ROUNDING)
      reasons.push(`${metric} gained ${gain.toFixed(4)} over the base model, less than ${minimumGain}`);
  }
  return slices === undefined
    ? reasons
    : [...reasons, ...columns.flatMap((scores) => sliceFailures(metric, slices, scores))];
}

/** Why a value is outside its bounds, if it is. */
function outside(
  what: string,
  value: number,
  { minimum, maximum }: { minimum?: number | undefined; maximum?: number | undefined },
): string[] {
  if (minimum !== undefined && value < minimum - ROUNDING)
    return [`${what} is ${value.toFixed(4)}, below the minimum of ${minimum}`];
  if (maximum !== undefined && value > maximum + ROUNDING)
    return [`${what} is ${value.toFixed(4)}, above the maximum of ${maximum}`];
  return [];
}

type SliceGate = NonNullable<NonNullable<RunConfig['gate']>['slices']>;

function sliceFailures(
  metric: MetricName,
  { minimum, maximum, maximumGap }: SliceGate,
  { column, worst, gap }: Measured['slices'][number],
): string[] {
  const name = quote(column);
  if (worst === undefined) return [`no slice of ${name} has enough rows`];
  const reasons = outside(`${metric} of ${name} ${quote(worst.slice)}`, worst.final, { minimum, maximum });
  if (maximumGap === undefined) return reasons;
  if (gap === undefined) return [...reasons, `only one slice of ${name} has enough rows for a gap`];
  return [
    ...reasons,
    ...outside(`the gap of ${metric} between slices of ${name}`, gap.final, { maximum: maximumGap }),
  ];
}
