/**
 * What an interruption cost: the steps between the last one of an attempt and the checkpoint that the next one started
 * from. Counted once, when the new attempt says that it trains; an end that nobody saw in between counts for nothing.
 */
import type { Attempt } from './attempts.ts';
import { present } from './present.ts';
import type { Reported } from './report.ts';
import type { Run } from './run.ts';

/** Phases of the trainer in which it has not looked for a checkpoint yet, or may not have. */
const early = ['Starting', 'Downloading', 'Preparing'];

export function lostStepsOf(
  { remembered }: Run,
  attempt: Attempt,
  said: Reported | undefined,
): Pick<Attempt, 'previousStep' | 'lostSteps'> {
  const before = remembered.attempt;
  const isNew = before?.podUID !== attempt.podUID;
  // An attempt that never got to training says nothing about how far the run was.
  const trained = before?.number === 1 || before?.lostSteps !== undefined;
  const previousStep = isNew && trained ? remembered.progress?.step : before?.previousStep;
  return present({
    previousStep,
    lostSteps: (isNew ? undefined : before?.lostSteps) ?? lostBy(attempt, previousStep, said),
  });
}

function lostBy(
  { number }: Attempt,
  previousStep: number | undefined,
  said: Reported | undefined,
): number | undefined {
  const phase = said?.progress?.phase;
  if (number === 1 || phase === undefined || phase === 'Finished' || early.includes(phase)) return undefined;
  return Math.max(0, (previousStep ?? 0) - (said?.resumedFromStep ?? 0));
}
