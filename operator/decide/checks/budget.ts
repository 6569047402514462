/** spec.budget: the run is held, after a checkpoint, before it uses more. */
import { limitsOf } from '../limits.ts';
import type { Run } from '../run.ts';
import { activeTime, isTold } from '../usage.ts';
import { type Check, failureFrom, type Verdict } from '../verdict.ts';
import { currentStage, endCameFirst, hold, untilStopped } from './stop.ts';

export const budgetExhausted: Check = (run) => {
  const { budget, problem } = limitsOf(run);
  if (endCameFirst(run)) return undefined;
  // Without its runtime the price is not known, which is not to say that there is none: what is held stays so, no more.
  const { state } = currentStage(run);
  const isHeld = state.at === 'held' && state.byUser;
  if (problem !== undefined && (run.runtime !== undefined || isHeld))
    return held(run, 'RuntimeForbidden', `${problem} ${untilStopped(run, '')}`.trim());
  if (budget === undefined || activeTime(run, run.now).total < budget.stop) return undefined;
  if (!isTold(run, budget.stop)) return undefined;
  const what = 'The budget is used up, but for the time that a checkpoint takes.';
  return held(run, 'BudgetExhausted', `${what} ${untilStopped(run, 'Raise spec.budget to go on.')}`);
};

function held(run: Run, reason: 'BudgetExhausted' | 'RuntimeForbidden', message: string): Verdict {
  return {
    phase: 'Suspended',
    reason,
    message,
    stalled: true,
    failure: failureFrom(reason, message),
    actions: hold(run, 'its budget cannot be kept otherwise'),
  };
}
