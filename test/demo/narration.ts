/** What the demo says about a job: one line while it runs, one JSON object at the end. */
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';

export type JobView = { metadata: { name: string }; status?: FineTuneJobStatus };

/** The part of report.json that the summary needs. */
export type TrainingReport = { stepLosses: number[] };

function duration(seconds: number): string {
  return seconds < 60
    ? `${seconds}s`
    : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}

/** One line: phase, progress and whatever the job waits for. */
export function progressLine(job: JobView): string {
  const status = job.status;
  if (status?.phase === undefined) return `${job.metadata.name}: seen by the API server`;
  const parts = [`${job.metadata.name}: ${status.phase}`];
  const progress = status.progress;
  if (progress !== undefined) {
    parts.push(`${progress.phase} step ${progress.step}/${progress.totalSteps} (${progress.percent} %)`);
    if (progress.trainLoss !== undefined) parts.push(`loss ${Number(progress.trainLoss).toFixed(3)}`);
    if (progress.evalLoss !== undefined) parts.push(`eval ${Number(progress.evalLoss).toFixed(3)}`);
    if (progress.tokensPerSecond !== undefined)
      parts.push(`${Math.round(Number(progress.tokensPerSecond))} tokens/s`);
    if (progress.etaSeconds !== undefined) parts.push(`${duration(progress.etaSeconds)} left`);
  } else if (status.preflight !== undefined) {
    parts.push(
      `data checked: ${status.preflight.splits.train.rows} rows, ${status.preflight.totalSteps} steps planned`,
    );
  }
  if (status.failure !== undefined) parts.push(`${status.failure.category}: ${status.failure.message}`);
  return parts.join('  ');
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The figures of the run: losses are means of the first and the last ten steps. */
export function summary(job: JobView, report: TrainingReport, prometheusLosses: readonly number[]) {
  const evaluation = job.status?.evaluation;
  const number = (text: string | undefined) => (text === undefined ? null : Number(text));
  return {
    phase: job.status?.phase ?? 'Pending',
    baselineAccuracy: number(evaluation?.baseline?.accuracy),
    accuracy: number(evaluation?.final?.accuracy),
    baselineF1: number(evaluation?.baseline?.f1),
    f1: number(evaluation?.final?.f1),
    firstTrainLoss: mean(report.stepLosses.slice(0, 10)),
    lastTrainLoss: mean(report.stepLosses.slice(-10)),
    steps: report.stepLosses.length,
    trainSeconds: job.status?.usage?.trainSeconds ?? null,
    prometheusLossSeen: prometheusLosses.length > 1 && prometheusLosses.at(-1)! < prometheusLosses[0]!,
  };
}
