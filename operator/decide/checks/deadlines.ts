/** spec.activeDeadlineSeconds and spec.pendingDeadlineSeconds. */
import { limitsOf } from '../limits.ts';
import { millis, timestampOf } from '../present.ts';
import type { Run } from '../run.ts';
import { atWorkMs } from '../stopping.ts';
import { duration } from '../text.ts';
import { activeTime, isTold } from '../usage.ts';
import { type Check, failureFrom, isEndedByUs, lookAgain, type Verdict } from '../verdict.ts';
import { currentStage, endCameFirst, isStageOfStatus, stopForGood } from './stop.ts';

export const deadlineExceeded: Check = (run) => {
  const { deadline } = limitsOf(run);
  if (deadline === undefined || endCameFirst(run)) return undefined;
  if (activeTime(run, run.now).total < deadline || !isTold(run, deadline)) return undefined;
  const message = `Trainers ran for ${duration(deadline)}, as long as spec.activeDeadlineSeconds allows.`;
  const failure = failureFrom('DeadlineExceeded', message);
  return stopForGood(run, { phase: 'Failed', reason: 'DeadlineExceeded', message, failure });
};

/**
 * Since when a run waits for the pod of its stage to start, if this verdict says that it does. While a pod saves its
 * checkpoint the run is at work, whatever the next one will wait for.
 */
export function waitingSince(run: Run, { phase, reason, failure, endedAt }: Verdict): string | undefined {
  // With a failure it only lets the back-off of its Job pass: it starts again by itself.
  const isStarting = reason === 'PreflightPending' && failure === undefined;
  const waits = phase === 'Pending' || phase === 'Queued' || isStarting || endedWhileWaiting(run);
  if (!waits || endedAt !== undefined || atWorkMs(run) > 0) return undefined;
  return (isStageOfStatus(run) ? run.remembered.waitingSince : undefined) ?? timestampOf(run.now);
}

/**
 * Whether the operator has ended the Job of a run that waited and could not tell it: then the wait is not over because the
 * Job is, and its pod gone, which the next pass would take for a run to be started again.
 */
function endedWhileWaiting(run: Run): boolean {
  const { job } = currentStage(run);
  const isWaiting = isStageOfStatus(run) && run.remembered.waitingSince !== undefined;
  // One that was deleted is ended for that, whatever its run does.
  return isWaiting && job !== undefined && isEndedByUs(job) && job.metadata?.deletionTimestamp === undefined;
}

/** What it waits for; once its Job is ended, what the status says of it. */
function waitOf(run: Run, { message }: Verdict): string {
  const told = run.remembered.conditions?.find(({ type }) => type === 'Ready')?.message;
  return endedWhileWaiting(run) ? (told ?? message) : message;
}

/** The verdict, or the end of a run that waited too long: for whatever the verdict names. */
export function withinPendingDeadline(run: Run, verdict: Verdict): Verdict {
  const limit = run.job.spec.pendingDeadlineSeconds;
  if (limit === undefined) return verdict;
  const since = millis(waitingSince(run, verdict));
  if (since === undefined) return verdict;
  const left = since + limit * 1000 - run.now.getTime();
  if (left > 0) return lookAgain(verdict, left);
  const message = `Waited for ${duration(limit)}, as long as spec.pendingDeadlineSeconds allows. ${waitOf(run, verdict)}`;
  return {
    phase: 'Failed',
    reason: 'PendingDeadlineExceeded',
    message,
    endedAt: timestampOf(run.now) ?? '',
    failure: failureFrom('PendingDeadlineExceeded', message),
  };
}
