/** What a run used: the time of its trainers' containers, counted from outside, and what they say about their work. */
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { type Attempt, isUnseen } from './attempts.ts';
import { containerStatus, isAtWork } from './ending.ts';
import { costOf, limitsOf, priceOf } from './limits.ts';
import { millis, present } from './present.ts';
import type { Reported } from './report.ts';
import type { Run } from './run.ts';
import { hasLivePods } from './stage.ts';
import { count, decimal } from './text.ts';

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

/**
 * A container that could not be started claims a start at the beginning of 1970 and used nothing. When the container of a
 * pod stopped that is lost with its node nobody knows: what was counted before stands. Start and end come from the clock of
 * the node, which may be wrong: one that runs is not counted from before its pod was on the node, nor one that ended, if it
 * began before and ended after (the clock was put right meanwhile). Else both times are of one clock, right or wrong.
 */
function secondsOf(pod: V1Pod, until: Date | undefined): number {
  const { running, terminated } = containerStatus(pod)?.state ?? {};
  const start = millis((terminated ?? running)?.startedAt);
  // Missing, or the first moment of 1970.
  if (!start) return 0;
  const placed = placedAt(pod);
  if (terminated !== undefined) {
    const end = millis(terminated.finishedAt) ?? 0;
    return secondsBetween(placed < end ? Math.max(start, placed) : start, end);
  }
  if (!isAtWork(pod)) return 0;
  // Then it was to be killed. A node that is lost says for days that it runs.
  const killed = millis(pod.metadata?.deletionTimestamp) ?? Number.POSITIVE_INFINITY;
  return secondsBetween(Math.max(start, placed), until && Math.min(until.getTime(), killed));
}

/** When the pod got its node, or was made, by the clock of the API server. */
function placedAt({ metadata, status }: V1Pod): number {
  const scheduled = status?.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'True');
  return millis(scheduled?.lastTransitionTime) ?? millis(metadata?.creationTimestamp) ?? 0;
}

function secondsBetween(start: number, end: number | undefined): number {
  return end === undefined ? 0 : Math.max(0, Math.floor((end - start) / 1000));
}

/**
 * What status says of it. A live trainer is counted up to its last answer, so that time alone changes nothing, and
 * beyond that up to the limit it has reached: a limit once reached stays so, whatever happens to the pod.
 */
export function recordedTime(run: Run, answeredAt: Date | undefined): ActiveTime {
  const seen = activeTime(run, answeredAt);
  const now = activeTime(run, run.now);
  const reached = marksOf(run).filter((mark) => mark <= now.total);
  const missing = Math.max(0, ...reached.map((mark) => mark - seen.total));
  return { total: seen.total + missing, attempt: seen.attempt + missing };
}

/**
 * Whether the status tells that a limit is reached, so that it can be acted on: a process that starts after the trainer was
 * stopped, and finds no pod any more to count, must not let it go on. Where none runs there is nothing to wait for.
 */
export function isTold({ remembered, train }: Run, limit: number): boolean {
  const runs = hasLivePods(train) && train.job?.spec?.suspend !== true;
  return !runs || (remembered.usage?.activeSeconds ?? 0) >= limit;
}

/** Whether the time that a status tells is the first to reach a limit. */
export function reachesLimit(run: Run, activeSeconds: number): boolean {
  const before = run.remembered.usage?.activeSeconds ?? 0;
  return marksOf(run).some((mark) => before < mark && mark <= activeSeconds);
}

/** Milliseconds until a live trainer reaches the next limit. */
export function untilNextLimit(run: Run): number | undefined {
  const { total } = activeTime(run, run.now);
  const ahead = marksOf(run).filter((mark) => mark > total);
  return ahead.length === 0 ? undefined : (Math.min(...ahead) - total) * 1000;
}

/** Trainer time at which something has to be done or said. */
function marksOf(run: Run): number[] {
  const { deadline, budget } = limitsOf(run);
  return [...(deadline === undefined ? [] : [deadline]), ...(budget ? [budget.warn, budget.stop] : [])];
}

/** Totals of the run; they never fall, although an interruption loses the work since the last checkpoint. */
export function usageOf(run: Run, said: Reported | undefined, attempt: Attempt, active: ActiveTime): Usage {
  const { usage: before, attempt: last } = run.remembered;
  const gpuSeconds = active.total * run.job.spec.resources.gpus;
  const price = priceOf(run);
  const { budget } = limitsOf(run);
  const counted = last?.podUID === attempt.podUID ? (last.lostSteps ?? 0) : 0;
  const lostSteps = count((before?.lostSteps ?? 0) - counted + (attempt.lostSteps ?? 0));
  return present({
    attempts: attempt.number,
    activeSeconds: active.total,
    gpuSeconds,
    ...price,
    cost: price.pricePerHour && decimal(costOf(gpuSeconds, price.pricePerHour)),
    budgetPercent: budget && count(Math.floor((100 * active.total) / budget.whole)),
    trainSeconds: highest(before?.trainSeconds, said?.trainSeconds),
    trainedTokens: highest(before?.trainedTokens, said?.trainedTokens),
    lostSteps: attempt.number === 1 ? undefined : lostSteps,
  });
}

function highest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}
