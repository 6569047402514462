/** Settings that pass the API server and still make no run config. */
import { creationOf } from '../create.ts';
import { timestampOf } from '../present.ts';
import { type Check, failureFrom } from '../verdict.ts';

export const settingsImpossible: Check = (run) => {
  if (run.missing === undefined) return undefined;
  const creation = creationOf(run, run.missing);
  if (!('problem' in creation)) return undefined;
  const endedAt = timestampOf(run.now) ?? '';
  const reason = run.missing === 'preflight' ? 'PreflightFailed' : 'TrainingFailed';
  const failure = failureFrom('ConfigError', creation.problem);
  return { phase: 'Failed', reason, message: creation.problem, endedAt, failure };
};
