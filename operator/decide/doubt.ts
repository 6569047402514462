/**
 * When what is known is not enough to decide on. FineTuneJobs, Jobs and pods come by a watch each, and one
 * may lag behind the others: a Job that is over while its last pod seems to run, or no pod at all where one is alive.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { endLiveJobs, hasEnded } from './checks/ended.ts';
import { endingOf, nobody } from './ending.ts';
import type { Plan } from './plan.ts';
import type { Run } from './run.ts';
import { endedAs, type StageView } from './stage.ts';

/** Whether what is decided next cannot be taken back if a pod was overlooked: the pods have to be read anew. */
export function podsInDoubt(run: Run): boolean {
  if (hasEnded(run)) return endLiveJobs(run).length > 0;
  return isOverWithoutResult(run.preflight) || isOverWithoutResult(run.train) || isMadeAgain(run);
}

/** The pod that tells why may not have been seen. */
function isOverWithoutResult({ job, state }: StageView): boolean {
  return job !== undefined && endedAs(job) !== undefined && state.at !== 'reached';
}

/** A Job that was made before, in this run or another, may have left a pod. */
function isMadeAgain({ job, missing, remembered }: Run): boolean {
  if (missing === 'train') return remembered.preflight !== undefined;
  return missing === 'preflight' && job.status?.runId !== undefined;
}

/**
 * The pods that were read, and of those that were known before the ones that had ended: how a pod ended, and what it saved,
 * stays true when it is gone a moment later.
 */
export function withEnded(read: readonly V1Pod[], known: readonly V1Pod[]): V1Pod[] {
  const uids = new Set(read.map(({ metadata }) => metadata?.uid));
  const ended = known.filter((pod) => endingOf(pod, nobody) !== undefined);
  return [...read, ...ended.filter(({ metadata }) => !uids.has(metadata?.uid))];
}

/**
 * Whether a plan holds, resumes, ends or removes something, or makes a Job again. The user may have asked for the opposite
 * just now, another replica may have brought the run to its end, or the Job is gone because the job itself is: the job has
 * to be read anew, and decided on again if it has changed. Only the first Job of a stage costs no question.
 */
export function jobInDoubt({ actions }: Plan, run: Run): boolean {
  return actions.some(({ kind }) => kind !== 'create' || isMadeAgain(run));
}
