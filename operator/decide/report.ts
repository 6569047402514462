/** From what the trainer says (numbers) to what status holds (bounded text and decimals). */
import { type FineTuneJobStatus, fineTuneJobStatus, maxListBytes } from '../../crds/status.schema.ts';
import type {
  CheckpointRecord,
  PreflightReport,
  Progress,
  Result,
  ResultOf,
} from '../../crds/trainer-contract.ts';
import { evaluationOf, metricsOf } from './evaluation.ts';
import { historyOf } from './history.ts';
import { present, timestampOf } from './present.ts';
import { count, decimal, duration, leading, line } from './text.ts';

/** What a report of the trainer says about a run. */
export type Reported = Pick<
  FineTuneJobStatus,
  'device' | 'progress' | 'history' | 'evaluation' | 'checkpoints' | 'resumedFromStep' | 'result'
> & { trainSeconds?: number; trainedTokens?: number; interruptedAtStep?: number };

type Split = PreflightReport['splits']['train'];

/** Whether the API server would take what the result says into status. */
export function fitsStatus(said: Result): boolean {
  const part =
    said.outcome === 'Validated'
      ? { preflight: preflightOf(said.preflight) }
      : said.outcome === 'Failed'
        ? {}
        : statusOf(said.outcome === 'Interrupted' ? interruptedReport(said) : finalReport(said, undefined));
  return fineTuneJobStatus.safeParse(part).success;
}

/** The report of a live trainer, or undefined if the API server would not take it. */
export function liveReport(said: Progress, at: Date): Reported | undefined {
  const { step, totalSteps } = said;
  const reported = present({
    ...common(said),
    progress: present({
      phase: said.phase,
      step,
      totalSteps,
      epoch: decimal(said.epoch) ?? '0',
      ...partDone(step, totalSteps),
      trainLoss: decimal(said.trainLoss),
      evalLoss: decimal(said.evalLoss),
      learningRate: decimal(said.learningRate),
      tokensPerSecond: decimal(said.tokensPerSecond),
      etaSeconds: count(said.etaSeconds),
      eta: duration(said.etaSeconds),
      updatedAt: timestampOf(at) ?? '1970-01-01T00:00:00Z',
    }),
    // Empty while the trainer loads: the curve of the attempt before stays.
    history: said.history.length === 0 ? undefined : historyOf(said.history),
    checkpoints: said.checkpoints.length === 0 ? undefined : checkpointsOf(said.checkpoints),
    evaluation: said.baseline && { baseline: metricsOf(said.baseline) },
  });
  return fineTuneJobStatus.safeParse(statusOf(reported)).success ? reported : undefined;
}

/** The last word of a trainer that came to an end. `finishedAt` is when its container ended. */
export function finalReport(
  said: ResultOf<'Succeeded'> | ResultOf<'Rejected'>,
  finishedAt: string | undefined,
): Reported {
  const history = historyOf(said.history);
  return present({
    ...common(said),
    progress: present({
      phase: 'Finished',
      step: said.step,
      totalSteps: said.totalSteps,
      epoch: decimal(said.epoch) ?? '0',
      ...partDone(1, 1),
      trainLoss: history.findLast((point) => point.trainLoss !== undefined)?.trainLoss,
      evalLoss: history.findLast((point) => point.evalLoss !== undefined)?.evalLoss,
      tokensPerSecond: said.trainSeconds > 0 ? decimal(said.trainedTokens / said.trainSeconds) : undefined,
      etaSeconds: 0,
      eta: duration(0),
      updatedAt: finishedAt ?? '1970-01-01T00:00:00Z',
    }),
    history,
    checkpoints: checkpointsOf(said.checkpoints),
    evaluation: evaluationOf(said.evaluation),
    result: said.outcome === 'Succeeded' ? modelOf(said.model) : undefined,
  });
}

/** What a trainer said that was stopped from outside. */
export function interruptedReport(said: ResultOf<'Interrupted'>): Reported {
  return present({
    trainSeconds: count(said.trainSeconds),
    trainedTokens: said.trainedTokens,
    interruptedAtStep: said.step,
    checkpoints: said.checkpoints.length === 0 ? undefined : checkpointsOf(said.checkpoints),
  });
}

/** The report of preflight; long lists are cut. */
export function preflightOf(report: PreflightReport): NonNullable<FineTuneJobStatus['preflight']> {
  const { train, validation, test } = report.splits;
  return present({
    ...report,
    splits: present({
      train: splitOf(train),
      validation: validation && splitOf(validation),
      test: splitOf(test),
    }),
    unknownTokenShare: decimal(report.unknownTokenShare) ?? '0',
    lengthRuleAccuracy: decimal(report.lengthRuleAccuracy),
    modelType: line(report.modelType, 64),
    warnings: leading(
      report.warnings.map((warning) => line(warning, 256)),
      maxListBytes.warnings,
    ),
  });
}

function splitOf({ labels, ...counts }: Split) {
  const named = labels.map(([label, rows]) => ({ label: line(label, 128), rows }));
  return { ...counts, labels: leading(named, maxListBytes.labels) };
}

type Common = Pick<Progress, 'trainSeconds' | 'trainedTokens'> & {
  device?: string | undefined;
  resumedFromStep?: number | undefined;
};

function common(said: Common) {
  return {
    device: said.device === undefined ? undefined : line(said.device, 64),
    resumedFromStep: said.resumedFromStep,
    trainSeconds: count(said.trainSeconds),
    trainedTokens: said.trainedTokens,
  };
}

/** Newest first; one whose time is no time is left out. */
function checkpointsOf(checkpoints: readonly CheckpointRecord[]) {
  const dated = checkpoints.flatMap(({ step, time, uri, digest, metric }) => {
    const at = timestampOf(time);
    if (at === undefined) return [];
    const value = decimal(metric?.value);
    const measured = metric && value !== undefined ? { name: line(metric.name, 32), value } : undefined;
    return present({ step, time: at, uri: line(uri, 1024), digest, metric: measured });
  });
  return leading(
    dated.sort((a, b) => b.step - a.step),
    maxListBytes.checkpoints,
  );
}

function modelOf({ uri, digest, format, bytes, reportUri }: ResultOf<'Succeeded'>['model']) {
  return {
    uri: line(uri, 1024),
    digest,
    format: line(format, 64),
    bytes,
    reportUri: line(reportUri, 1024),
  };
}

/** The part of a report that status holds under the same name. */
export function statusOf(said: Reported): FineTuneJobStatus {
  const { trainSeconds: _, trainedTokens: __, interruptedAtStep: ___, ...rest } = said;
  return rest;
}

/** Part of the planned steps, in whole percent, as a number and for people. */
export function partDone(step: number, totalSteps: number): { percent: number; done: string } {
  const percent = totalSteps === 0 ? 0 : Math.min(100, Math.floor((100 * step) / totalSteps));
  return { percent, done: `${percent}%` };
}
