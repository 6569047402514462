/** What status keeps of a run although pods and their answers go: attempts, progress, curve, checkpoints, usage. */
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { comparedBy } from '../../crds/tasks.ts';
import type { Result } from '../../crds/trainer-contract.ts';
import { type Attempt, attemptOf } from './attempts.ts';
import { endingOf, identityIn } from './ending.ts';
import { withPrimary } from './evaluation.ts';
import { mergedHistory } from './history.ts';
import { lostStepsOf } from './lost-steps.ts';
import { microBatchOf } from './micro-batch.ts';
import { present } from './present.ts';
import { finalReport, interruptedReport, liveReport, partDone, type Reported, statusOf } from './report.ts';
import type { Run } from './run.ts';
import { recordedTime, usageOf } from './usage.ts';

export type Memory = Pick<
  FineTuneJobStatus,
  | 'preflight'
  | 'attempt'
  | 'usage'
  | 'device'
  | 'progress'
  | 'history'
  | 'evaluation'
  | 'checkpoints'
  | 'resumedFromStep'
  | 'microBatch'
  | 'result'
>;

export function memoryOf(run: Run): Memory {
  const { remembered, trainPods, report } = run;
  const attempt = attemptOf(remembered.attempt, trainPods);
  const said = attempt && lastWord(run, attempt.podUID);
  const evaluation = said?.evaluation ?? remembered.evaluation;
  return present({
    preflight: report,
    device: remembered.device,
    history: remembered.history,
    checkpoints: remembered.checkpoints,
    // That of an earlier attempt says nothing of this one.
    resumedFromStep: attempt?.podUID === remembered.attempt?.podUID ? remembered.resumedFromStep : undefined,
    microBatch: microBatchOf(run),
    progress: stoppedAt(remembered.progress, said?.interruptedAtStep),
    ...(said && statusOf(said)),
    evaluation: evaluation && withPrimary(evaluation, comparedBy(run.observed.job.spec)),
    ...(attempt && workOf(run, attempt, said)),
  });
}

function workOf(run: Run, attempt: Attempt, said: Reported | undefined): Pick<Memory, 'attempt' | 'usage'> {
  const active = recordedTime(run, said?.progress && run.observed.progress?.at);
  const now = { ...attempt, activeSeconds: active.attempt, ...lostStepsOf(run, attempt, said) };
  return { attempt: now, usage: usageOf(run, said, now, active) };
}

/** The step at which the trainer stopped is newer than its last answer. */
function stoppedAt(progress: Memory['progress'], step: number | undefined): Memory['progress'] {
  if (progress === undefined || step === undefined) return progress;
  return { ...progress, step, ...partDone(step, progress.totalSteps) };
}

/** What the pod of an attempt said last: its result, else its answer to the last question. */
function lastWord(run: Run, podUid: string): Reported | undefined {
  const { trainPods } = run;
  const { state } = run.train;
  if (state.at === 'reached') return finalWord(run, state.ending.result, state.ending.finishedAt);
  const stopped = interruption(
    run,
    trainPods.find(({ metadata }) => metadata?.uid === podUid),
  );
  if (stopped !== undefined) return stopped;
  const { progress, job } = run.observed;
  if (progress?.podUid !== podUid || progress.value.podUid !== podUid) return undefined;
  const { jobUid, runId } = progress.value;
  if (jobUid !== job.metadata.uid || runId !== job.spec.runId) return undefined;
  const report = liveReport(progress.value, progress.at);
  return report && isOlder(report.progress, run.remembered.progress) ? undefined : report;
}

/**
 * Whether somebody has heard more than we did: where two operators work for a moment, each would put its own answer back. By
 * the clock of another one alone a trainer that goes on would not be heard.
 */
function isOlder(said: Memory['progress'], known: Memory['progress']): boolean {
  if (said === undefined || known === undefined) return false;
  return said.updatedAt < known.updatedAt && said.step <= known.step;
}

/** The curve of the result is short (a termination message holds 4 KB): the points known from before fill it. */
function finalWord(
  run: Run,
  result: Result | undefined,
  finishedAt: string | undefined,
): Reported | undefined {
  if (result?.outcome !== 'Succeeded' && result?.outcome !== 'Rejected') return undefined;
  const final = finalReport(result, finishedAt);
  const known = run.remembered.history ?? [];
  return { ...final, history: mergedHistory(known, final.history ?? []) };
}

function interruption({ job }: Run, pod: V1Pod | undefined): Reported | undefined {
  const result = pod && endingOf(pod, identityIn(job, 'train'))?.result;
  return result?.outcome === 'Interrupted' ? interruptedReport(result) : undefined;
}
