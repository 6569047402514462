/** A stage without a pod that could work: whether its last pod takes longer to end, or its next one to be made, than it should. */
import { attemptOf } from './attempts.ts';
import { currentStage, isStageOfStatus } from './checks/stop.ts';
import { millis, timestampOf } from './present.ts';
import type { Run } from './run.ts';
import type { StageView } from './stage.ts';
import type { Verdict } from './verdict.ts';
import { type Waiting, waitingForEnd, waitingForPod } from './waiting.ts';

export function waitingBetweenPods(run: Run, stage: StageView): Waiting | undefined {
  const { job, state } = stage;
  if (state.at === 'stopping') return waitingForEnd(state.pod, run.now);
  if (job === undefined || !isRestarting(stage)) return undefined;
  const since = millis(seenAt(run)) ?? 0;
  return waitingForPod(job, { since, ended: endedPods(run, stage) }, run.now);
}

/** A Job that has no pod yet, or none any more. */
export function waitingForAnyPod(run: Run, stage: StageView): Waiting | undefined {
  const { job } = stage;
  return job && waitingForPod(job, { since: idleSince(run, job), ended: endedPods(run, stage) }, run.now);
}

/**
 * Since when the Job of the stage has to start the next pod: when the end of the last one was seen first. The end itself
 * stands in the clock of its node, which may be wrong.
 */
export function restartingSince(run: Run, { phase, endedAt }: Verdict): string | undefined {
  const goesOn = phase === 'Training' || phase === 'Preflight' || phase === 'Pending';
  return goesOn && endedAt === undefined && isRestarting(currentStage(run)) ? seenAt(run) : undefined;
}

function isRestarting({ state: { at } }: StageView): boolean {
  return at === 'interrupted' || at === 'retrying';
}

function seenAt(run: Run): string | undefined {
  const { remembered, trainPods, now } = run;
  const samePod = attemptOf(remembered.attempt, trainPods)?.podUID === remembered.attempt?.podUID;
  return (isStageOfStatus(run) && samePod ? remembered.restartingSince : undefined) ?? timestampOf(now);
}

/** What was known of the Job last: that it was made, that it was let go on, or that it has no pod. */
function idleSince({ remembered, now }: Run, { metadata, status }: NonNullable<StageView['job']>): number {
  const held = remembered.conditions?.find(({ type }) => type === 'Suspended');
  const times = [
    metadata?.creationTimestamp,
    status?.startTime,
    remembered.waitingSince ?? now,
    held?.status === 'True' ? now : held?.lastTransitionTime,
  ];
  return Math.max(...times.map((time) => millis(time) ?? 0));
}

/** How many pods of the stage have ended, as far as is known. */
function endedPods({ remembered, trainPods, train }: Run, stage: StageView): number {
  const attempts = attemptOf(remembered.attempt, trainPods)?.number ?? 0;
  return Math.max(stage === train ? attempts : 0, stage.pods.length);
}
