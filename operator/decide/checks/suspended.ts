/** spec.suspend. */
import type { Check } from '../verdict.ts';
import { endCameFirst, hold, untilStopped } from './stop.ts';

export const suspendedByUser: Check = (run) => {
  if (!run.job.spec.suspend || endCameFirst(run)) return undefined;
  return {
    phase: 'Suspended',
    reason: 'SuspendedByUser',
    message: untilStopped(run, 'Set spec.suspend to false to go on.'),
    actions: hold(run, 'spec.suspend is true'),
  };
};
