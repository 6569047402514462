/** The state machine of a FineTuneJob: what is observed in, what has to be done and said out. */
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { restartingSince } from './between-pods.ts';
import { budgetExhausted } from './checks/budget.ts';
import { cancelled } from './checks/cancelled.ts';
import { deadlineExceeded, waitingSince, withinPendingDeadline } from './checks/deadlines.ts';
import { endWhileKept } from './checks/deleted.ts';
import { endLiveJobs, hasEnded } from './checks/ended.ts';
import { expiry } from './checks/expired.ts';
import { formerPodsLive } from './checks/former-run.ts';
import { nameTaken } from './checks/name-taken.ts';
import { preflight } from './checks/preflight.ts';
import { actionsOf, asFarAsAllowed } from './checks/refused.ts';
import { runtimeForbids, runtimeMissing } from './checks/runtime.ts';
import { settingsImpossible } from './checks/settings.ts';
import { suspendedByUser } from './checks/suspended.ts';
import { dryRun, train } from './checks/train.ts';
import { conditionsOf } from './conditions.ts';
import { eventsOf } from './events.ts';
import { memoryOf } from './memory.ts';
import { type Action, isOwn, type Observed, type Plan } from './plan.ts';
import { present } from './present.ts';
import { type Run, viewRun } from './run.ts';
import { atWorkMs } from './stopping.ts';
import { type Check, lookAgain, type Verdict } from './verdict.ts';

/**
 * In the order in which they are asked: the first that answers decides, `train` answers always. Whether the run may go on
 * comes before what it waits for: a run that is held waits for nothing, so no deadline of a wait runs.
 */
const checks: readonly Check[] = [
  cancelled,
  suspendedByUser,
  deadlineExceeded,
  budgetExhausted,
  formerPodsLive,
  runtimeMissing,
  runtimeForbids,
  nameTaken,
  settingsImpossible,
  preflight,
  dryRun,
];

/**
 * Pure and level-triggered: the answer depends on what is there, not on what happened, so it is right after any time
 * in which nobody looked. A second pass over what the first one did gives no actions and the same status.
 * @param run what is observed, for who has viewed it already
 */
export function decide(observed: Observed, now: Date, run: Run = viewRun(observed, now)): Plan {
  const { job } = observed;
  const stored = job.status ?? {};
  if (!isOwn(job)) return keep(stored, []);
  // Nothing is left to say.
  if (job.metadata.deletionTimestamp !== undefined) return keep(stored, endWhileKept(run));
  if (hasEnded(run)) {
    const { actions, ...wait } = expiry(job, now);
    if (actions !== undefined) return keep(stored, actions);
    return { ...keep(atGeneration(stored, job.metadata.generation), endLiveJobs(run)), ...wait };
  }
  const answer =
    checks.reduce<Verdict | undefined>((found, check) => found ?? check(run), undefined) ?? train(run);
  const asAllowed = (one: Verdict) => asFarAsAllowed(run, { ...one, actions: actionsOf(run, one) });
  // No event tells that a node says nothing.
  const allowed = lookAgain(asAllowed(answer), atWorkMs(run));
  const due = withinPendingDeadline(run, allowed);
  // Ending a run that waited too long may be refused as well.
  const verdict = due.endedAt === allowed.endedAt ? due : asAllowed(due);
  const status = statusFrom(run, verdict);
  return {
    actions: verdict.actions ?? [],
    ...(verdict.withheld !== undefined && { withheld: verdict.withheld }),
    status,
    events: eventsOf(stored, status, verdict),
    poll: verdict.poll,
    ...(verdict.requeueAfterMs !== undefined && { requeueAfterMs: verdict.requeueAfterMs }),
  };
}

function keep(status: FineTuneJobStatus, actions: Action[]): Plan {
  return { actions, status, events: [], poll: undefined };
}

/** The status of a run that is over was seen to hold for a later generation too (suspend may change). */
function atGeneration(status: FineTuneJobStatus, generation: number | undefined): FineTuneJobStatus {
  const observedGeneration = Math.max(generation ?? 0, status.observedGeneration ?? 0);
  const conditions = status.conditions?.map((condition) => ({ ...condition, observedGeneration }));
  return { ...status, observedGeneration, ...(conditions && { conditions }) };
}

function statusFrom(run: Run, verdict: Verdict): FineTuneJobStatus {
  const { job, now, startTime, report } = run;
  const generation = job.metadata.generation ?? 0;
  const memory = memoryOf(run);
  const { evaluation } = memory;
  const input = { verdict, report, evaluation, generation, now };
  const conditions = conditionsOf(input, job.status?.conditions ?? []);
  return present({
    observedGeneration: generation,
    phase: verdict.phase,
    runId: job.spec.runId,
    conditions,
    startTime,
    completionTime: verdict.endedAt,
    waitingSince: waitingSince(run, verdict),
    restartingSince: restartingSince(run, verdict),
    ...memory,
    failure: verdict.failure,
  });
}
