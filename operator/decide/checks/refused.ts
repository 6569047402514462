/** What the API server does not take: a quota, an admission policy or a rule of the API is against it, or it fails with it. */
import type { JobPhase } from '../../../crds/status.schema.ts';
import { mainReason } from '../conditions.ts';
import type { Action, Refusal } from '../plan.ts';
import type { Run } from '../run.ts';
import { type Failure, failureFrom, type Verdict } from '../verdict.ts';
import { endLiveJobs } from './ended.ts';
import { deleteFormerJobs } from './former-run.ts';

/** An API server that has just started, and a quota that is not counted yet, refuse what they take a moment later. */
export const patienceMs = 2000;
/** The next try comes after as long as the refusals have lasted, and after so long at the latest. */
const longestWaitMs = 300_000;

export type Tried = Pick<Refusal, 'kind' | 'name' | 'patch'>;

const wishes = { create: 'to make', patch: 'to change', delete: 'to delete' } as const;

/** What is to be done for a verdict: Jobs of an earlier run go, and at the end of a run its own are ended. */
export function actionsOf(run: Run, { endedAt, actions = [] }: Verdict): Action[] {
  return [...deleteFormerJobs(run), ...(endedAt === undefined ? actions : endLiveJobs(run))];
}

/** The verdict, or that what has to be done for it is refused; the rest of that is done. */
export function asFarAsAllowed(run: Run, verdict: Verdict): Verdict {
  const { actions = [] } = verdict;
  const refusals = run.observed.refusals.filter(
    (one) => isLeftAlone(one) && actions.some((action) => is(one, action)),
  );
  const [refusal] = refusals;
  if (refusal === undefined) return asToldBefore(run, verdict);
  const verb = refusal.isFailure ? 'fails' : 'refuses';
  const message = `The API server ${verb} ${wishes[refusal.kind]} Job ${refusal.name}: ${refusal.answer}`;
  const waits = refusals.map(untilNextTryMs);
  // A run is not over before its Jobs are.
  const { endedAt: _, ...rest } = verdict;
  return {
    ...rest,
    ...told(verdict, failureFrom('JobRefused', message)),
    actions: actions.filter((action) => !refusals.some((one) => is(one, action))),
    withheld: actions.filter((action) => refusals.some((one) => is(one, action))),
    requeueAfterMs: Math.min(verdict.requeueAfterMs ?? longestWaitMs, ...waits),
  };
}

/** While it is tried again, also after a restart, the run waits for the same: only what is there then ends a refusal. */
function asToldBefore({ remembered }: Run, verdict: Verdict): Verdict {
  const { failure } = remembered;
  const tries = (verdict.actions ?? []).length > 0 && verdict.endedAt === undefined;
  const isTold = failure !== undefined && mainReason(remembered) === 'JobRefused';
  return tries && isTold && phaseOf(verdict) === 'Pending'
    ? { ...verdict, ...told(verdict, failure) }
    : verdict;
}

function told(verdict: Verdict, failure: Failure) {
  return { phase: phaseOf(verdict), reason: 'JobRefused', message: failure.message, failure } as const;
}

/** A trainer that can be neither held nor ended may be at work still; in all other cases the run waits for its pod. */
function phaseOf({ phase, reason, endedAt }: Verdict): JobPhase {
  if (reason === 'PendingDeadlineExceeded') return 'Pending';
  return phase === 'Suspended' || phase === 'Stopping' || endedAt !== undefined ? 'Stopping' : 'Pending';
}

function isLeftAlone(refusal: Refusal): boolean {
  return refusal.lastedMs >= patienceMs && untilNextTryMs(refusal) > 0;
}

/** What of an action tells it from others. Of a Job that is to be made that is its name: its content holds the time. */
export function triedOf(action: Action): Tried {
  if (action.kind === 'create') return { kind: 'create', name: action.object.metadata?.name ?? '' };
  const { kind, name } = action;
  return action.kind === 'patch' ? { kind, name, patch: action.patch } : { kind, name };
}

/** The same for the same action, in whichever pass it was planned. */
export function idOf({ kind, name, patch }: Tried): string {
  return JSON.stringify([kind, name, patch]);
}

function is(refusal: Refusal, action: Action): boolean {
  return idOf(refusal) === idOf(triedOf(action));
}

function untilNextTryMs({ lastedMs, agoMs, retryAfterMs = 0 }: Refusal): number {
  return Math.max(Math.min(lastedMs, longestWaitMs), retryAfterMs) - agoMs;
}
