/** The schedule that waits for the validation metric to stop improving, as torch.optim.lr_scheduler.ReduceLROnPlateau. */
import type { Schedule } from './schedule.ts';

export type PlateauSettings = Extract<Schedule, { name: 'ReduceLROnPlateau' }>;

/** What it knows between two evaluations; part of every checkpoint. */
export type Plateau = {
  learningRate: number;
  /** Best value of the metric so far; undefined before the first evaluation. */
  best?: number;
  badEvaluations: number;
  /** Evaluations that still do not count as bad, after a reduction. */
  cooldown: number;
};

/** A smaller change of the rate is not made. */
const smallestChange = 1e-8;

export function newPlateau(learningRate: number): Plateau {
  return { learningRate, badEvaluations: 0, cooldown: 0 };
}

/** The state after an evaluation; `lowerIsBetter` for a loss, not for accuracy and the like. */
export function afterMetric(
  before: Plateau,
  value: number,
  settings: PlateauSettings,
  lowerIsBetter: boolean,
): Plateau {
  const better = before.best === undefined || improves(value, before.best, settings.threshold, lowerIsBetter);
  const best = better ? value : before.best;
  const cooling = before.cooldown > 0;
  const cooldown = cooling ? before.cooldown - 1 : 0;
  const badEvaluations = better || cooling ? 0 : before.badEvaluations + 1;
  const known = best === undefined ? {} : { best };
  const { learningRate } = before;
  if (badEvaluations <= settings.patience) return { learningRate, ...known, badEvaluations, cooldown };
  const lower = Math.max(learningRate * settings.factor, settings.minLearningRate);
  const reduced = learningRate - lower > smallestChange ? lower : learningRate;
  return { learningRate: reduced, ...known, badEvaluations: 0, cooldown: settings.cooldown };
}

/** The threshold is relative to the best value. */
function improves(value: number, best: number, threshold: number, lowerIsBetter: boolean): boolean {
  return lowerIsBetter ? value < best * (1 - threshold) : value > best * (1 + threshold);
}
