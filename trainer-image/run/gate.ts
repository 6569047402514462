import { improvement } from '../../crds/tasks.ts';
import type { MetricValues, RunConfig } from '../../crds/trainer-contract.ts';

type Values = MetricValues;

/** Differences of decimals such as 0.94 - 0.93 fall short of 0.01 by a rounding error; it must not reject a model. */
const ROUNDING = 1e-9;

/**
 * Compares the test metrics with the acceptance gate.
 * @returns the reasons for which the model is rejected; none = it passes
 */
export function gateFailures(gate: RunConfig['gate'], final: Values, baseline: Values | undefined): string[] {
  if (gate === undefined) return [];
  const { metric, minimum, maximum, minimumGainOverBaseline: minimumGain } = gate;
  const value = final[metric];
  if (value === undefined) return [`${metric} was not measured`];
  const reasons: string[] = [];
  if (minimum !== undefined && value < minimum - ROUNDING)
    reasons.push(`${metric} is ${value.toFixed(4)}, below the minimum of ${minimum}`);
  if (maximum !== undefined && value > maximum + ROUNDING)
    reasons.push(`${metric} is ${value.toFixed(4)}, above the maximum of ${maximum}`);
  if (minimumGain === undefined) return reasons;
  const base = baseline?.[metric];
  if (base === undefined) return [...reasons, 'the gain over the base model was not measured'];
  const gain = improvement(metric, value, base);
  if (gain < minimumGain - ROUNDING)
    reasons.push(`${metric} gained ${gain.toFixed(4)} over the base model, less than ${minimumGain}`);
  return reasons;
}
