/** What the Job controller makes of a Job and its pods: written from the documentation of Kubernetes. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { millis } from '../../../operator/decide/present.ts';
import { failJobExitCodes } from '../../../operator/manifests/failure-policy.ts';
import { jobCondition } from '../builders.ts';

export type Control = {
  job: V1Job;
  /** Pods that are to end. */
  stop: V1Pod[];
  /** A pod is to be made. */
  isShort: boolean;
};

/** `pods` are all that the Job ever had, `now` is the time of its clock. */
export function control(job: V1Job, pods: readonly V1Pod[], now: Date): Control {
  const live = pods.filter(({ status }) => status?.phase === 'Pending' || status?.phase === 'Running');
  const suspended = job.spec?.suspend === true;
  const before = job.status?.conditions?.[0];
  const startTime = suspended ? job.status?.startTime : (job.status?.startTime ?? now);
  const status = { ...job.status, ...(startTime && { startTime }) };
  const end = before ?? endOf(job, pods, !suspended && isLate(job, now));
  if (end === undefined) {
    // The next pod comes only when the last is gone for good: podReplacementPolicy Failed.
    const isShort = !suspended && live.length === 0;
    return { job: { ...job, status }, stop: suspended ? live : [], isShort };
  }
  // Before its pods have ended a Job only says how it is going to end.
  const type = live.length > 0 || end.type !== 'FailureTarget' ? end.type : 'Failed';
  const conditions = [{ ...end, type }];
  return { job: { ...job, status: { ...status, conditions } }, stop: live, isShort: false };
}

/** Who evicts a Job takes its start back, so that its pods may go to other nodes. */
export function withSuspend(job: V1Job, suspend: boolean): V1Job {
  if (job.spec?.suspend === suspend) return job;
  const { startTime: _, ...evicted } = job.status ?? {};
  return { ...job, spec: { ...job.spec!, suspend }, status: suspend ? evicted : { ...job.status } };
}

/** A Job that goes on has all of its deadline before it again. */
function isLate({ spec, status }: V1Job, now: Date): boolean {
  const startedAt = millis(status?.startTime);
  const seconds = spec?.activeDeadlineSeconds;
  if (startedAt === undefined || seconds === undefined) return false;
  return now.getTime() - startedAt >= seconds * 1000;
}

function endOf(job: V1Job, pods: readonly V1Pod[], late: boolean) {
  const end = (type: string, reason: string, message = '') =>
    jobCondition(type, reason, message).conditions![0];
  const ended = pods.filter(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
  const codes = ended.map((pod) => pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode);
  const final = codes.find((code) => code !== undefined && failJobExitCodes.includes(code));
  if (final !== undefined)
    return end('FailureTarget', 'PodFailurePolicy', `failed with exit code ${final} matching`);
  // A pod that was deleted before it started has failed too.
  const failures = codes.filter((code) => code !== 0 && code !== 143).length;
  if (failures > (job.spec?.backoffLimit ?? 6)) return end('FailureTarget', 'BackoffLimitExceeded');
  if (late) return end('FailureTarget', 'DeadlineExceeded');
  return codes.includes(0) ? end('Complete', 'CompletionsReached') : undefined;
}
