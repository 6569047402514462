import type { RunConfig } from '../../crds/trainer-contract.ts';
import type { ComparedMetric } from '../metrics/bootstrap.ts';

type Values = Record<ComparedMetric, number>;

/** Differences of decimals such as 0.94 - 0.93 fall short of 0.01 by a rounding error; it must not reject a model. */
const ROUNDING = 1e-9;

/**
 * Compares the test metrics with the acceptance gate.
 * @returns the reasons for which the model is rejected; none = it passes
 */
export function gateFailures(gate: RunConfig['gate'], final: Values, baseline: Values | undefined): string[] {
  if (gate === undefined) return [];
  const reasons: string[] = [];
  const value = final[gate.metric];
  if (gate.minimum !== undefined && value < gate.minimum - ROUNDING) {
    reasons.push(`${gate.metric} is ${value.toFixed(4)}, below the minimum of ${gate.minimum}`);
  }
  if (gate.minimumGainOverBaseline !== undefined) {
    if (baseline === undefined) reasons.push('the gain over the base model was not measured');
    else if (value - baseline[gate.metric] < gate.minimumGainOverBaseline - ROUNDING) {
      const gain = (value - baseline[gate.metric]).toFixed(4);
      reasons.push(
        `${gate.metric} gained ${gain} over the base model, less than ${gate.minimumGainOverBaseline}`,
      );
    }
  }
  return reasons;
}
