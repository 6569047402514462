/**
 * Learning-rate schedules with the names and formulas of Hugging Face Transformers (optimization.py): the factor for
 * step 0 is used by the first update. Pure functions of the step.
 */
export type ScheduleName = 'linear' | 'cosine' | 'constant' | 'constant_with_warmup';

export type Schedule = {
  readonly name: ScheduleName;
  /** Rate at the peak. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
};

/** Steps of warm-up: a whole number >= 1 is a count, a smaller one the share of all steps, rounded up. */
export function warmupSteps(warmup: number, totalSteps: number): number {
  return warmup < 1 ? Math.ceil(warmup * totalSteps) : Math.floor(warmup);
}

/** Learning rate of the update number `step`, counted from 0. */
export function learningRateAt(schedule: Schedule, step: number): number {
  return schedule.learningRate * factors[schedule.name](schedule, step);
}

type Factor = (schedule: Schedule, step: number) => number;

/** A straight line from 0 to 1, then `decay`. */
function afterWarmup(decay: Factor): Factor {
  return (schedule, step) => {
    if (step < schedule.warmupSteps) return step / Math.max(1, schedule.warmupSteps);
    return decay(schedule, step);
  };
}

/** Steps between the end of warm-up and the end of training, at least 1. */
const decaySteps = ({ totalSteps, warmupSteps: warmup }: Schedule): number =>
  Math.max(1, totalSteps - warmup);

const factors: Readonly<Record<ScheduleName, Factor>> = {
  linear: afterWarmup((schedule, step) => Math.max(0, (schedule.totalSteps - step) / decaySteps(schedule))),
  cosine: afterWarmup((schedule, step) => {
    const progress = (step - schedule.warmupSteps) / decaySteps(schedule);
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  }),
  constant: () => 1,
  constant_with_warmup: afterWarmup(() => 1),
};
