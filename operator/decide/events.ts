/** Events: one for each transition, none while nothing changes. */
import type { Reason } from '../../crds/conditions.ts';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { mainReason, preflightSummary } from './conditions.ts';
import type { JobEvent } from './plan.ts';
import { line } from './text.ts';
import type { Verdict } from './verdict.ts';

/** Events of the API server hold 1024 characters. */
const maxMessageBytes = 1000;

/** At this part of the budget a person is warned. */
const warnPercent = 80;

const ordinaryWaits: readonly Reason[] = ['Waiting', 'PreflightPending', 'TrainingPending', 'TrainingQueued'];

/** What a run that was held for this reason goes on for. */
const resumptions: Record<string, string> = {
  SuspendedByUser: 'spec.suspend is false again.',
  BudgetExhausted: 'spec.budget allows more.',
};

export function eventsOf(before: FineTuneJobStatus, after: FineTuneJobStatus, verdict: Verdict): JobEvent[] {
  const events: JobEvent[] = [];
  const add = (type: JobEvent['type'], reason: Reason, message: string) => {
    if (events.some((event) => event.reason === reason)) return;
    events.push({ type, reason, message: line(message, maxMessageBytes) });
  };
  const newRun = before.runId !== undefined && before.runId !== after.runId;
  if (newRun) add('Normal', 'NewRun', `Run "${after.runId}" takes the place of run "${before.runId}".`);
  const held = resumptions[mainReason(before) ?? ''];
  const goesOn =
    verdict.phase !== 'Suspended' && verdict.phase !== 'Stopping' && verdict.endedAt === undefined;
  if (held !== undefined && goesOn && !newRun) add('Normal', 'Resumed', held);
  const known = newRun ? undefined : before.preflight;
  if (after.preflight !== undefined && known === undefined) {
    add('Normal', 'PreflightPassed', preflightSummary(after.preflight));
  }
  const used = (newRun ? undefined : before.usage?.budgetPercent) ?? 0;
  if (used < warnPercent && (after.usage?.budgetPercent ?? 0) >= warnPercent) {
    add('Warning', 'BudgetNearlyExhausted', `${after.usage?.budgetPercent} % of spec.budget are used.`);
  }
  const news =
    mainReason(before) !== verdict.reason ||
    (before.completionTime === undefined && verdict.endedAt !== undefined) ||
    before.failure?.category !== after.failure?.category ||
    before.attempt?.number !== after.attempt?.number;
  if (news && !isOrdinaryWait(verdict)) add(typeOf(verdict), verdict.reason, verdict.message);
  return events;
}

/** Conditions say what a run waits for; an event would only repeat them. One that a person should know of has a failure. */
function isOrdinaryWait({ reason, failure }: Verdict): boolean {
  return failure === undefined && ordinaryWaits.includes(reason);
}

function typeOf({ failure, stalled, phase, reason }: Verdict): JobEvent['type'] {
  if (reason === 'Cancelled') return 'Normal';
  const calm = failure === undefined && stalled !== true && phase !== 'Rejected';
  return calm && reason !== 'TrainingInterrupted' ? 'Normal' : 'Warning';
}
