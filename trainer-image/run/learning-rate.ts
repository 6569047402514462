import type { RunConfig } from '../../crds/trainer-contract.ts';
import { afterMetric, newPlateau, type Plateau } from '../optim/plateau.ts';
import { learningRateAt, warmupSteps } from '../optim/schedule.ts';
import { bestMetric } from './early-stopping.ts';
import type { RunState } from './state.ts';

/** Learning rate of the step after `state.step` steps. */
export function learningRateOf(config: RunConfig, state: RunState, totalSteps: number): number {
  const { schedule, learningRate, warmup } = config.training;
  if (state.plateau !== undefined) return state.plateau.learningRate;
  const course = { learningRate, warmupSteps: warmupSteps(warmup, totalSteps), totalSteps };
  return learningRateAt(schedule, course, state.step);
}

/** What an evaluation means for ReduceLROnPlateau; undefined with every other schedule. `value`: of the best metric. */
export function plateauAfter(config: RunConfig, state: RunState, value: number): Plateau | undefined {
  const { schedule, learningRate } = config.training;
  if (schedule.name !== 'ReduceLROnPlateau') return undefined;
  const before = state.plateau ?? newPlateau(learningRate);
  return afterMetric(before, value, schedule, bestMetric(config) === 'loss');
}
