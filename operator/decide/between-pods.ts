/** Between two pods of a Job: whether the last one takes longer to end, or the next one to be made, than it should. */
import { attemptOf } from './attempts.ts';
import type { Ending } from './ending.ts';
import { millis } from './present.ts';
import type { Run } from './run.ts';
import type { StageView } from './stage.ts';
import { type Waiting, waitingForEnd, waitingForNextPod } from './waiting.ts';

export function waitingBetweenPods(run: Run, { job, pods, state }: StageView): Waiting | undefined {
  switch (state.at) {
    case 'stopping':
      return waitingForEnd(state.pod, run.now);
    case 'interrupted':
    case 'retrying': {
      const attempts = attemptOf(run.remembered.attempt, run.trainPods)?.number ?? 0;
      const since = idleSince(run, state.ending);
      return waitingForNextPod(job, { since, ended: Math.max(attempts, pods.length) }, run.now);
    }
    default:
      return undefined;
  }
}

/**
 * The newest that is known of the pod that ended. Its end itself stands in the clock of its node, which may be wrong: a trainer
 * of which the status still tells was at work until now.
 */
function idleSince({ remembered, now }: Run, { finishedAt, pod: { metadata, status } }: Ending): number {
  const running = remembered.conditions?.find(({ type }) => type === 'Running');
  const times = [
    finishedAt,
    metadata?.creationTimestamp,
    ...(status?.conditions ?? []).map(({ lastTransitionTime }) => lastTransitionTime),
    running?.status === 'True' ? now : running?.lastTransitionTime,
  ];
  return Math.max(0, ...times.map((time) => millis(time) ?? 0).filter((time) => time <= now.getTime()));
}
