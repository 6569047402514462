/** How a run is ended or held before its goal, by whatever check: the trainer saves a checkpoint first. */
import type { V1Job } from '@kubernetes/client-node';
import { annotations } from '../../manifests/names.ts';
import { smallerBatches } from '../micro-batch.ts';
import type { Action } from '../plan.ts';
import { timestampOf } from '../present.ts';
import type { Run } from '../run.ts';
import { endedAs, hasLivePods, isQueued, type StageView } from '../stage.ts';
import { lostWhileStopping } from '../stopping.ts';
import { deleteJob, endJob, isEndedByUs, patchOf, type Verdict } from '../verdict.ts';
import { endKept, endLiveJobs } from './ended.ts';

/** The stage that is under way. */
export function currentStage({ report, preflight, train }: Run): StageView {
  return report === undefined ? preflight : train;
}

/** Whether it is still the stage that the stored status tells of: then the times of waits in it are those of this stage. */
export function isStageOfStatus({ remembered, report }: Run): boolean {
  return (remembered.preflight === undefined) === (report === undefined);
}

/** What may be at work: the train Job also where what preflight found was lost before the status told it. */
function underWay({ report, preflight, train }: Run): StageView[] {
  return report === undefined ? [preflight, train] : [train];
}

/** Whether the run came to its own end already, which stands: out of memory is none while smaller batches can be tried. */
export function endCameFirst(run: Run): boolean {
  const { at } = currentStage(run).state;
  if (at === 'failed') return smallerBatches(run) === undefined;
  return at === 'reached' || (run.report !== undefined && run.job.spec.dryRun);
}

/** For good: over once no pod is left. */
export function stopForGood(
  run: Run,
  end: Pick<Verdict, 'reason' | 'message' | 'failure'> & { phase: 'Failed' | 'Cancelled' },
): Verdict {
  if (!isStopping(run)) return { ...end, endedAt: timestampOf(run.now) ?? '' };
  const message = `${end.message} ${stopping(run)}`;
  return { ...end, phase: 'Stopping', message, actions: endLiveJobs(run) };
}

/**
 * Until further notice. A Job without a queue is suspended in place, and marked so that a hold by anybody else is not
 * undone later; one that is suspended already stays as it is, whoever did it. A Job with a queue is deleted and made anew:
 * a queue that has admitted it would set suspend back to false at once, and only the end of the Job gives its quota back.
 */
export function hold(run: Run, because: string): Action[] {
  return underWay(run).flatMap((stage) => holdStage(run, stage, because));
}

function holdStage({ remembered }: Run, { job, pods, state }: StageView, because: string): Action[] {
  if (job === undefined || endedAs(job)) return [];
  if (job.metadata?.deletionTimestamp !== undefined) return endKept(job, pods);
  // It ran out of memory, and is deleted only when the status tells the smaller batches of the next one.
  const isTold = remembered.microBatch?.jobUID === job.metadata?.uid;
  if (state.at === 'failed' && !(isTold && isQueued(job)))
    return job.spec?.suspend === true || isEndedByUs(job) ? [] : [endJob(job)];
  if (isQueued(job)) return [deleteJob(job, `${because}; its queue gets the quota back`)];
  if (job.spec?.suspend === true) return [];
  return [patchOf(job, mark('true', true))];
}

/** Undoes what the operator did; a Job that somebody else holds is left alone. */
export function resume(job: V1Job): Action {
  return patchOf(job, mark(null, false));
}

/** What a person sees while a pod comes to its end, and what to do afterwards. */
export function untilStopped(run: Run, afterwards: string): string {
  return isStopping(run) ? stopping(run) : afterwards;
}

/** Whether something may still be at work: a pod of the stage, one whose Job is gone, or an earlier run. */
function isStopping(run: Run): boolean {
  return underWay(run).some(hasLivePods) || run.strays.length > 0 || run.formerJobs.length > 0;
}

function stopping(run: Run): string {
  return lostWhileStopping(run) ?? `The pod stops${run.report === undefined ? '' : ' after a checkpoint'}.`;
}

function mark(value: 'true' | null, suspend: boolean): object {
  return { metadata: { annotations: { [annotations.heldByUser]: value } }, spec: { suspend } };
}
