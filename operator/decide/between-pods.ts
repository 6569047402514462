/** A stage without a pod at work: whether its last pod takes longer to end, or its next one to come and to start, than it should. */
import { mountedObjects } from '../manifests/sources.ts';
import { attemptOf } from './attempts.ts';
import { currentStage, isStageOfStatus } from './checks/stop.ts';
import { millis, present, timestampOf } from './present.ts';
import type { Run } from './run.ts';
import type { StageState, StageView } from './stage.ts';
import type { Verdict } from './verdict.ts';
import { type Waiting, waitingForEnd, waitingForPod, waitingForStart, waits } from './waiting.ts';

/** The verdict on such a stage: `usual` while its pod may yet come by itself, `overdue` once a person should know why it does not. */
export function unlessOverdue(
  run: Run,
  stage: StageView,
  usual: Verdict,
  overdue: Pick<Verdict, 'phase' | 'reason'>,
): Verdict {
  const wait = waitOf(run, stage);
  if (wait?.category !== undefined) return waits(overdue, wait);
  // How the last pod ended says more than that the next one is being made.
  const message = wait && stage.state.at === 'waiting' ? wait.message : usual.message;
  return present({ ...usual, message, requeueAfterMs: wait?.recheckMs });
}

function waitOf(run: Run, stage: StageView): Waiting | undefined {
  const { job, state } = stage;
  switch (state.at) {
    case 'waiting':
      if (state.pod) return waitingForStart(state.pod, mountedObjects(run.job.spec), run.now);
      return job && waitingForPod(job, { since: idleSince(run, job), ended: endedPods(run, stage) }, run.now);
    case 'stopping':
      return waitingForEnd(state.pod, run.now);
    case 'interrupted':
    case 'retrying': {
      const since = millis(seenAt(run)) ?? 0;
      return job && waitingForPod(job, { since, ended: endedPods(run, stage) }, run.now);
    }
    default:
      return undefined;
  }
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

/** Whether a retry is left the Job knows, a moment after the end of its pod is seen. */
export function startsAgain({ at }: StageState): string {
  return at === 'retrying' ? 'starts again if a retry is left' : 'starts again';
}

/** How many pods of the stage have ended, as far as is known. */
function endedPods({ remembered, trainPods, train }: Run, stage: StageView): number {
  const attempts = attemptOf(remembered.attempt, trainPods)?.number ?? 0;
  return Math.max(stage === train ? attempts : 0, stage.pods.length);
}
