/** What a run used: the time of its trainers' containers, counted from outside, and what they say about their work. */
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { type Attempt, isUnseen } from './attempts.ts';
import { containerStatus } from './ending.ts';
import { millis, present } from './present.ts';
import type { Reported } from './report.ts';
import type { Run } from './run.ts';

export type Usage = NonNullable<FineTuneJobStatus['usage']>;

/** Seconds that trainers ran: all attempts of the run, and the newest one alone. */
export type ActiveTime = { total: number; attempt: number };

/**
 * A container that runs is counted up to `until`; undefined = not yet. What status remembers of an attempt stands when
 * its pod is gone, so the total never falls; suspended time and time in a queue have no container and count for nothing.
 */
export function activeTime({ remembered, trainPods }: Run, until: Date | undefined): ActiveTime {
  const { attempt: last, usage } = remembered;
  const known = trainPods.find(({ metadata }) => metadata?.uid === last?.podUID);
  const lastSeconds = Math.max(last?.activeSeconds ?? 0, known ? secondsOf(known, until) : 0);
  const unseen = trainPods.filter((pod) => isUnseen(pod, last)).map((pod) => secondsOf(pod, until));
  const before = (usage?.activeSeconds ?? 0) - (last?.activeSeconds ?? 0);
  return {
    total: unseen.reduce((sum, seconds) => sum + seconds, before + lastSeconds),
    attempt: unseen.at(-1) ?? lastSeconds,
  };
}

/** Of a pod that is lost with its node nobody knows when its container stopped: what was counted before stands. */
function secondsOf(pod: V1Pod, until: Date | undefined): number {
  const { running, terminated } = containerStatus(pod)?.state ?? {};
  const start = millis((terminated ?? running)?.startedAt);
  const live = running !== undefined && pod.status?.phase === 'Running';
  const end =
    terminated === undefined ? (live ? until?.getTime() : undefined) : millis(terminated.finishedAt);
  return start === undefined || end === undefined ? 0 : Math.max(0, Math.floor((end - start) / 1000));
}

/** Totals of the run; they never fall, although an interruption loses the work since the last checkpoint. */
export function usageOf(
  { remembered: { usage: before, attempt: last }, job }: Run,
  said: Reported | undefined,
  attempt: Attempt,
  active: ActiveTime,
): Usage {
  const counted = last?.podUID === attempt.podUID ? (last.lostSteps ?? 0) : 0;
  const lostSteps = (before?.lostSteps ?? 0) - counted + (attempt.lostSteps ?? 0);
  return present({
    attempts: attempt.number,
    activeSeconds: active.total,
    gpuSeconds: active.total * job.spec.resources.gpus,
    trainSeconds: highest(before?.trainSeconds, said?.trainSeconds),
    trainedTokens: highest(before?.trainedTokens, said?.trainedTokens),
    lostSteps: attempt.number === 1 ? undefined : lostSteps,
  });
}

function highest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}
