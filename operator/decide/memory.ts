/** What status keeps of a run although pods and their answers go: attempts, progress, curve, checkpoints, usage. */
import type { V1Pod } from '@kubernetes/client-node';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import type { Result } from '../../crds/trainer-contract.ts';
import { attemptOf } from './attempts.ts';
import { endingOf } from './ending.ts';
import { mergedHistory } from './history.ts';
import { present } from './present.ts';
import { finalReport, interruptedReport, liveReport, type Reported, statusOf } from './report.ts';
import type { Run } from './run.ts';

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
  | 'result'
>;

export function memoryOf(run: Run): Memory {
  const { remembered, train, report } = run;
  const attempt = attemptOf(remembered.attempt, train.pods);
  const said = attempt && lastWord(run, attempt.podUID);
  return present({
    preflight: report,
    attempt,
    device: remembered.device,
    progress: remembered.progress,
    history: remembered.history,
    checkpoints: remembered.checkpoints,
    resumedFromStep: remembered.resumedFromStep,
    ...(said && statusOf(said)),
    usage: attempt && usageOf(run, attempt.number, said),
  });
}

/** What the pod of an attempt said last: its result, else its answer to the last question. */
function lastWord(run: Run, podUid: string): Reported | undefined {
  const { state, pods } = run.train;
  if (state.at === 'reached') return finalWord(run, state.ending.result, state.ending.finishedAt);
  const stopped = interruption(
    run,
    pods.find(({ metadata }) => metadata?.uid === podUid),
  );
  if (stopped !== undefined) return stopped;
  const { progress, job } = run.observed;
  if (progress?.podUid !== podUid || progress.value.podUid !== podUid) return undefined;
  const { jobUid, runId } = progress.value;
  if (jobUid !== job.metadata.uid || runId !== job.spec.runId) return undefined;
  return liveReport(progress.value, progress.at);
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
  const identity = { jobUid: job.metadata.uid, runId: job.spec.runId, stage: 'train' as const };
  const result = pod && endingOf(pod, identity)?.result;
  return result?.outcome === 'Interrupted' ? interruptedReport(result) : undefined;
}

/** Totals of the run; they never fall, although an interruption loses the work since the last checkpoint. */
function usageOf({ remembered, job }: Run, attempts: number, said: Reported | undefined) {
  const trainSeconds = highest(remembered.usage?.trainSeconds, said?.trainSeconds);
  return present({
    attempts,
    trainSeconds,
    gpuSeconds: trainSeconds === undefined ? undefined : trainSeconds * job.spec.resources.gpus,
    trainedTokens: highest(remembered.usage?.trainedTokens, said?.trainedTokens),
  });
}

function highest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}
