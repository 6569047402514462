/** spec.cancel. */
import { type Check, failureFrom } from '../verdict.ts';
import { endCameFirst, stopForGood } from './stop.ts';

export const cancelled: Check = (run) => {
  if (!run.job.spec.cancel || endCameFirst(run)) return undefined;
  const message = 'The run was cancelled.';
  const failure = failureFrom('Cancelled', message);
  return stopForGood(run, { phase: 'Cancelled', reason: 'Cancelled', message, failure });
};
