/** A run that is over stays as it is, whatever happens to its children. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { failJobExitCodes } from '../../manifests/failure-policy.ts';
import { isOver } from '../ending.ts';
import type { Action } from '../plan.ts';
import type { Run } from '../run.ts';
import { controllerOf, endedAs, hasLivePods, isKept } from '../stage.ts';
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
    if (job === undefined || state.at === 'absent') return [];
    // Of a pod that was evicted at its very end the Job controller sees the eviction alone, and makes another one.
    if (state.at === 'reached' && state.ending.pod.status?.phase !== 'Failed') return [];
    if (isSettled(job)) return endKept(job, pods);
    const exitCode = state.at === 'failed' ? state.ending?.exitCode : undefined;
    if (exitCode !== undefined && (exitCode === 0 || failJobExitCodes.includes(exitCode))) return [];
    // A deadline does not run in a suspended Job, and a queue could wake it up; its last pod still has a word to say.
    if (job.spec?.suspend === true) return hasLivePods({ pods }) ? [] : [deleteJob(job, 'its run is over')];
    return [endJob(job)];
  });
}

/** Ends the pods of a Job that is deleted and kept: neither its controller nor the garbage collector stops them before it is gone. */
export function endKept(job: V1Job | undefined, pods: readonly V1Pod[]): Action[] {
  if (job === undefined || !isKept(job.metadata ?? {}) || isEndedByUs(job) || endedAs(job)) return [];
  const works = pods.some((pod) => controllerOf(pod)?.uid === job.metadata?.uid && !isOver(pod));
  return works ? [endJob(job)] : [];
}

/** Where a queue evicts a Job before its deadline is looked at, the Job stays, and starts anew when it is admitted again. */
function isSettled(job: V1Job): boolean {
  const isEnding = isEndedByUs(job) && job.spec?.suspend !== true;
  return isEnding || job.metadata?.deletionTimestamp !== undefined || endedAs(job) !== undefined;
}
