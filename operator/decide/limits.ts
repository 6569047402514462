/** How long the trainers of a run may run: deadline and budget as seconds of trainer time. */
import { present } from './present.ts';
import type { Run } from './run.ts';

export type Limits = {
  deadline?: number;
  budget?: {
    /** All of it. */
    whole: number;
    /** The trainer is asked to stop here, so that saving a checkpoint stays within the budget. */
    stop: number;
    /** Four fifths of it. */
    warn: number;
  };
  /** Why the budget cannot be kept. */
  problem?: string;
};

type Price = { pricePerHour?: string; currency?: string };
type Input = Pick<Run, 'job' | 'runtime' | 'remembered'>;

const defaultGraceSeconds = 120;

export function limitsOf(run: Input): Limits {
  const { spec } = run.job;
  const price = priceOf(run).pricePerHour;
  const lacksPrice = spec.budget?.maxCost !== undefined && price === undefined;
  return present({
    deadline: spec.activeDeadlineSeconds,
    budget: budgetOf(run, price),
    problem: lacksPrice
      ? `FineTuneRuntime "${spec.runtimeRef.name}" ${run.runtime ? 'names no price (accelerator.pricePerHour)' : 'does not exist'}, so spec.budget.maxCost cannot be kept.`
      : undefined,
  });
}

/** The price that the run started with; before that, the one of today. */
export function priceOf({ remembered: { usage }, runtime }: Input): Price {
  const { pricePerHour, currency } = usage?.pricePerHour === undefined ? (runtime?.accelerator ?? {}) : usage;
  return pricePerHour === undefined ? {} : present({ pricePerHour, currency });
}

/** What accelerators cost for so many seconds. */
export function costOf(gpuSeconds: number, pricePerHour: string): number {
  return (gpuSeconds / 3600) * Number(pricePerHour);
}

function budgetOf({ job, runtime, remembered }: Input, price: string | undefined): Limits['budget'] {
  const { maxGpuHours, maxCost } = job.spec.budget ?? {};
  const hours = [
    ...(maxGpuHours === undefined ? [] : [Number(maxGpuHours)]),
    ...(maxCost === undefined || price === undefined ? [] : [Number(maxCost) / Number(price)]),
  ];
  if (hours.length === 0) return undefined;
  const whole = (Math.min(...hours) * 3600) / Math.max(1, job.spec.resources.gpus);
  // That of its newest pod, whatever has become of the runtime since: a run that is held must not go on because of that.
  const { graceSeconds = runtime?.terminationGracePeriodSeconds } = remembered.attempt ?? {};
  const grace = graceSeconds ?? defaultGraceSeconds;
  // A budget that is smaller than the grace period still lets the trainer start.
  const stop = Math.ceil(whole - Math.min(grace, whole / 2));
  return { whole, stop, warn: Math.min(stop, Math.ceil(whole * 0.8)) };
}
