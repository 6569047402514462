/** What a check says about a run; status.ts turns it into status, conditions and events. */
import type { V1Job } from '@kubernetes/client-node';
import type { Reason } from '../../crds/conditions.ts';
import type { FailureCategory } from '../../crds/failures.ts';
import type { FineTuneJobStatus, JobPhase } from '../../crds/status.schema.ts';
import type { Ending, Fault } from './ending.ts';
import { hintFor } from './hints.ts';
import type { Action, Plan } from './plan.ts';
import { present } from './present.ts';
import type { Run } from './run.ts';
import { line, tail } from './text.ts';

export type Failure = NonNullable<FineTuneJobStatus['failure']>;

export type Verdict = {
  phase: JobPhase;
  reason: Reason;
  message: string;
  /** The trainer is at work. */
  running?: boolean;
  /** Nothing goes on without a change by a person. */
  stalled?: boolean;
  /** The run is over, since this time. */
  endedAt?: string;
  /** Why it failed, or what it waits for. */
  failure?: Failure;
  actions?: Action[];
  withheld?: Plan['withheld'];
  poll?: Plan['poll'];
  requeueAfterMs?: number;
};

/** An ordered, named step of the decision; undefined = the next one decides. */
export type Check = (run: Run) => Verdict | undefined;

/** For what changes without an event that the operator would see. */
export const recheckMs = 60_000;

/** The verdict, looked at again after so long at the latest; 0 or infinite = time alone brings nothing. */
export function lookAgain(verdict: Verdict, afterMs: number): Verdict {
  if (afterMs <= 0 || !Number.isFinite(afterMs)) return verdict;
  return { ...verdict, requeueAfterMs: Math.min(afterMs, verdict.requeueAfterMs ?? afterMs) };
}

/** A failure that the operator sees from outside. */
export function failureFrom(category: FailureCategory, message: string, hint?: string): Failure {
  const text = hint ?? hintFor(category, { stage: 'train', memoryLimit: undefined });
  return { category, message: line(message, 1200), hint: line(text, 500) };
}

/** A failure that a pod ended with. */
export function failureOf(fault: Fault, ending: Ending | undefined, attempt: number | undefined): Failure {
  return present({
    ...failureFrom(fault.category, fault.message, fault.hint),
    exitCode: ending?.exitCode,
    attempt,
    node: ending?.pod.spec?.nodeName,
    step: fault.step,
    logTail: fault.logTail === undefined ? undefined : tail(fault.logTail, 1000) || undefined,
  });
}

/** Ends a live Job for good: no replacement pod may burn time. A queue could undo a suspend, but not this. */
export function endJob(job: V1Job): Action {
  return patchOf(job, { spec: { activeDeadlineSeconds: endedSeconds } });
}

/** Whether the operator has ended it: nobody else gives a Job of a run a deadline. */
export function isEndedByUs({ spec }: V1Job): boolean {
  return spec?.activeDeadlineSeconds === endedSeconds;
}

const endedSeconds = 1;

export function patchOf(job: V1Job, patch: object): Action {
  return { kind: 'patch', ...identityOf(job), patch };
}

export function deleteJob(job: V1Job, because: string): Action {
  return { kind: 'delete', ...identityOf(job), because };
}

function identityOf(job: V1Job) {
  const { name = '', uid = '' } = job.metadata ?? {};
  return { apiVersion: 'batch/v1', objectKind: 'Job', name, uid };
}
