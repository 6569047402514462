/** spec.activeDeadlineSeconds and spec.pendingDeadlineSeconds. */
import { limitsOf } from '../limits.ts';
import { millis, timestampOf } from '../present.ts';
import type { Run } from '../run.ts';
import { duration } from '../text.ts';
import { activeTime, isTold } from '../usage.ts';
import { type Check, failureFrom, type Verdict } from '../verdict.ts';
import { endCameFirst, stopForGood } from './stop.ts';

export const deadlineExceeded: Check = (run) => {
  const { deadline } = limitsOf(run);
  if (deadline === undefined || endCameFirst(run)) return undefined;
  if (activeTime(run, run.now).total < deadline || !isTold(run, deadline)) return undefined;
  const message = `Trainers ran for ${duration(deadline)}, as long as spec.activeDeadlineSeconds allows.`;
  const failure = failureFrom('DeadlineExceeded', message);
  return stopForGood(run, { phase: 'Failed', reason: 'DeadlineExceeded', message, failure });
};

/** Since when a run waits for the pod of its stage to start, if this verdict says that it does. */
export function waitingSince(run: Run, { phase, reason, endedAt }: Verdict): string | undefined {
  const { remembered, report, now } = run;
  const waits = phase === 'Pending' || phase === 'Queued' || reason === 'PreflightPending';
  if (!waits || endedAt !== undefined) return undefined;
  const sameStage = (remembered.preflight === undefined) === (report === undefined);
  return (sameStage ? remembered.waitingSince : undefined) ?? timestampOf(now);
}

/** The verdict, or the end of a run that waited too long: for whatever the verdict names. */
export function withinPendingDeadline(run: Run, verdict: Verdict): Verdict {
  const limit = run.job.spec.pendingDeadlineSeconds;
  const since = millis(waitingSince(run, verdict));
  if (limit === undefined || since === undefined) return verdict;
  const left = since + limit * 1000 - run.now.getTime();
  if (left > 0) return { ...verdict, requeueAfterMs: Math.min(left, verdict.requeueAfterMs ?? left) };
  const message = `Waited for ${duration(limit)}, as long as spec.pendingDeadlineSeconds allows. ${verdict.message}`;
  return {
    phase: 'Failed',
    reason: 'PendingDeadlineExceeded',
    message,
    endedAt: timestampOf(run.now) ?? '',
    failure: failureFrom('PendingDeadlineExceeded', message, verdict.failure?.hint),
  };
}
