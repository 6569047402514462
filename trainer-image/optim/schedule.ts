/**
 * Learning-rate schedules with the formulas of Hugging Face Transformers (optimization.py): pure functions of the step.
 * The rate of step 0 is the one of the first update.
 */
import type { RunConfig } from '../../crds/trainer-contract.ts';

export type Schedule = RunConfig['training']['schedule'];
type Named<N extends Schedule['name']> = Extract<Schedule, { name: N }>;

/** The training that a schedule is for. */
export type Course = {
  /** Rate at the peak. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
};

/** Steps of warm-up: a number of 1 or more is a count, a smaller one the share of all steps, rounded up. */
export function warmupSteps(warmup: number, totalSteps: number): number {
  return warmup < 1 ? Math.ceil(warmup * totalSteps) : Math.floor(warmup);
}

/**
 * Learning rate of the update number `step`, counted from 0 and below `totalSteps`. That of ReduceLROnPlateau does not
 * follow from the step: it is the peak here, see plateau.ts.
 */
export function learningRateAt(schedule: Schedule, course: Course, step: number): number {
  const { learningRate, warmupSteps: warmup } = course;
  if (schedule.name === 'Constant' || schedule.name === 'ReduceLROnPlateau') return learningRate;
  if (step < warmup) return learningRate * (step / Math.max(1, warmup));
  return afterWarmup(schedule, course, step);
}

function afterWarmup(schedule: Schedule, course: Course, step: number): number {
  const { learningRate, warmupSteps: warmup, totalSteps } = course;
  const decaySteps = Math.max(1, totalSteps - warmup);
  const progress = (step - warmup) / decaySteps;
  switch (schedule.name) {
    case 'Linear':
      return learningRate * Math.max(0, (totalSteps - step) / decaySteps);
    case 'Cosine':
      return learningRate * halfCosine(progress);
    case 'CosineWithRestarts':
      return progress >= 1 ? 0 : learningRate * halfCosine((schedule.numCycles * progress) % 1);
    case 'Polynomial':
      return polynomial(schedule, learningRate, progress);
    case 'InverseSqrt':
      return learningRate / Math.sqrt(1 + (step - warmup) / (warmup || inverseSqrtTimescale));
    default:
      return learningRate;
  }
}

/** Steps after which the rate is 1/sqrt(2) of the peak; with a warm-up, its steps take this place. */
const inverseSqrtTimescale = 10_000;

/** From 1 to 0 while `progress` goes from 0 to 1. */
const halfCosine = (progress: number): number => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));

function polynomial(
  { power, endLearningRate }: Named<'Polynomial'>,
  learningRate: number,
  progress: number,
): number {
  const left = Math.max(0, 1 - progress);
  return (learningRate - endLearningRate) * left ** power + endLearningRate;
}
