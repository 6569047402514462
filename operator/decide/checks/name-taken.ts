/** An object that somebody else made under the name of a child is neither used nor touched. */
import { stageName } from '../../manifests/names.ts';
import { type Check, failureFrom, recheckMs } from '../verdict.ts';

export const nameTaken: Check = ({ observed, missing, job }) => {
  if (missing === undefined) return undefined;
  const wanted = `Job ${stageName(job.metadata, job.spec.runId, missing)}`;
  if (!observed.foreign.includes(wanted)) return undefined;
  const message = `${wanted} exists and does not belong to this FineTuneJob.`;
  return {
    phase: 'Pending',
    reason: 'NameTaken',
    message,
    stalled: true,
    failure: failureFrom('NameTaken', message),
    requeueAfterMs: recheckMs,
  };
};
