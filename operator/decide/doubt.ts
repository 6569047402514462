/**
 * When what is known is not enough to decide on. FineTuneJobs, FineTuneRuntimes, Jobs and pods come by a watch each, and one
 * may lag behind the others: a Job that is over while its last pod seems to run, or no pod at all where one is alive.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { hasEnded } from './checks/ended.ts';
import { currentStage, endCameFirst } from './checks/stop.ts';
import { isOver } from './ending.ts';
import type { Action, Plan } from './plan.ts';
import { millis } from './present.ts';
import type { Run } from './run.ts';
import { endedAs } from './stage.ts';
import { reachesLimit } from './usage.ts';

/** Whether a Job is over and a pod that was overlooked would tell how: the pods have to be read anew. */
export function podsInDoubt(run: Run): boolean {
  if (hasEnded(run) || run.job.metadata.deletionTimestamp !== undefined) return false;
  const { job, state } = currentStage(run);
  return job !== undefined && endedAs(job) !== undefined && state.at !== 'reached';
}

/**
 * The Job that is missing was made before, in this run or another: it may be there, or have left a pod. Whoever saw to the run
 * before `since` may have made the train Job without telling so.
 */
function wasMadeBefore({ job, missing, remembered, preflight }: Run, since: Date): boolean {
  if (missing !== 'train') return missing === 'preflight' && job.status?.runId !== undefined;
  const isOlder = ({ metadata }: V1Pod) => (millis(metadata?.creationTimestamp) ?? 0) < since.getTime();
  return remembered.preflight !== undefined || preflight.pods.some(isOlder);
}

/**
 * The pods that were read, and of those that were known before the ones that had ended: how a pod ended, and what it saved,
 * stays true when it is gone a moment later.
 */
export function withEnded(read: readonly V1Pod[], known: readonly V1Pod[]): V1Pod[] {
  const uids = new Set(read.map(({ metadata }) => metadata?.uid));
  const ended = known.filter(isOver);
  return [...read, ...ended.filter(({ metadata }) => !uids.has(metadata?.uid))];
}

/**
 * Whether a plan does what cannot be taken back, should the world not be as it seems: it holds, resumes, ends or removes
 * something, makes a Job again, ends a run of which no pod said so, tells that a limit is reached, or that a run is on hold
 * of which no Job is known. The user may have asked for the opposite just now, another replica may have brought the run to its
 * end, the Job may be gone because the job itself is, a trainer may run that seems to wait, or have ended that seems to run.
 * All of it has to be read anew, and decided on again. Whose version guards it, and the first Job of a stage, costs no question.
 * @param since when this process began to see to runs
 */
export function planInDoubt(plan: Plan, run: Run, since: Date): boolean {
  return (
    endsUntold(plan, run) ||
    tellsLimit(plan, run) ||
    holdsUnseen(plan, run, since) ||
    plan.actions.some((action) => isRisky(action, run, since))
  );
}

function isRisky(action: Action, run: Run, since: Date): boolean {
  return action.kind === 'create' ? wasMadeBefore(run, since) : action.resourceVersion === undefined;
}

/** A deadline, the word of the user or settings that make no Job end the run, on what is known of pods and runtime. */
function endsUntold({ status }: Plan, run: Run): boolean {
  const isNewEnd = status.completionTime !== undefined && !hasEnded(run);
  return isNewEnd && !endCameFirst(run);
}

/** The time of a trainer that seems to run goes on by the clock alone: it may have stopped long before its limit. */
function tellsLimit({ status }: Plan, run: Run): boolean {
  return reachesLimit(run, status.usage?.activeSeconds ?? 0);
}

/** Nothing was stopped for a hold that is news: what a watch has not shown yet may be at work. */
function holdsUnseen({ status }: Plan, run: Run, since: Date): boolean {
  return status.phase === 'Suspended' && run.remembered.phase !== 'Suspended' && wasMadeBefore(run, since);
}
