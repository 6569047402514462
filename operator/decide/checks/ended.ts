/** A run that is over stays as it is, whatever happens to its children. */
import type { V1Job } from '@kubernetes/client-node';
import { failJobExitCodes } from '../../manifests/failure-policy.ts';
import type { Action } from '../plan.ts';
import type { Run } from '../run.ts';
import { endedAs, hasLivePods } from '../stage.ts';
import { deleteJob, endJob, isEndedByUs } from '../verdict.ts';

export function hasEnded({ remembered }: Run): boolean {
  return remembered.completionTime !== undefined;
}

/**
 * Jobs that could still start a pod although their run is over. Where the pod reached its goal, and where the exit
 * code makes the Job fail by itself, nothing has to be done.
 */
export function endLiveJobs({ preflight, train }: Pick<Run, 'preflight' | 'train'>): Action[] {
  return [preflight, train].flatMap(({ job, state, pods }) => {
    if (job === undefined || state.at === 'absent' || state.at === 'reached' || isOver(job)) return [];
    const exitCode = state.at === 'failed' ? state.ending?.exitCode : undefined;
    if (exitCode !== undefined && (exitCode === 0 || failJobExitCodes.includes(exitCode))) return [];
    // A deadline does not run in a suspended Job, and a queue could wake it up; its last pod still has a word to say.
    if (job.spec?.suspend === true) return hasLivePods({ pods }) ? [] : [deleteJob(job, 'its run is over')];
    return [endJob(job)];
  });
}

/** Where a queue evicts a Job before its deadline is looked at, the Job stays, and starts anew when it is admitted again. */
function isOver(job: V1Job): boolean {
  const isEnding = isEndedByUs(job) && job.spec?.suspend !== true;
  return isEnding || job.metadata?.deletionTimestamp !== undefined || endedAs(job) !== undefined;
}
