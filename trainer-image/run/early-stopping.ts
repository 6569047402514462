import { improvement, type MetricName } from '../../crds/tasks.ts';
import type { RunConfig } from '../../crds/trainer-contract.ts';

/** What has been seen so far on the validation split; part of every checkpoint. */
export type BestSoFar = {
  /** Step of the best evaluation; undefined before the first. */
  step?: number;
  value?: number;
  /** Evaluations in a row without an improvement of more than minDelta. */
  badEvaluations: number;
};

/** The metric that decides which weights are the best: that of early stopping, else the loss. */
export function bestMetric(config: RunConfig): MetricName {
  return config.training.earlyStopping?.metric ?? 'loss';
}

/**
 * The record after one more evaluation. Any improvement makes the weights the best ones; only one of more than
 * `minDelta` resets the patience (as EarlyStoppingCallback of Hugging Face Transformers does).
 */
export function afterEvaluation(
  best: BestSoFar,
  evaluation: { step: number; value: number },
  rule: { metric: MetricName; minDelta: number },
): BestSoFar {
  const { step, value } = evaluation;
  if (best.value === undefined) return { step, value, badEvaluations: 0 };
  const gained = improvement(rule.metric, value, best.value);
  const badEvaluations = gained > rule.minDelta ? 0 : best.badEvaluations + 1;
  return gained > 0 ? { step, value, badEvaluations } : { ...best, badEvaluations };
}

/** True once `patience` evaluations in a row brought no improvement. */
export function patienceIsOver(best: BestSoFar, config: RunConfig): boolean {
  const rule = config.training.earlyStopping;
  return rule !== undefined && best.badEvaluations >= rule.patience;
}
