/** The metrics of single jobs: set on each pass, removed with the job. */
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import type { Progress } from '../../crds/trainer-contract.ts';
import type { FineTuneJob } from '../decide/plan.ts';
import type { Metrics } from '../metrics.ts';

type JobLabels = { namespace: string; name: string };
type Info = JobLabels & { uid: string; task: string; runtime: string };
type Series = { info: Info; phase: string | undefined };

export class JobSeries {
  readonly #metrics: Metrics;
  readonly #series = new Map<string, Series>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** What a pass found and wants. */
  show(
    key: string,
    { metadata: { namespace, name, uid }, spec }: FineTuneJob,
    status: FineTuneJobStatus,
  ): void {
    const { jobInfo, jobPhase } = this.#metrics;
    const known = this.#series.get(key);
    if (known !== undefined && known.info.uid !== uid) this.remove(key);
    const info = { namespace, name, uid, task: spec.task, runtime: spec.runtimeRef.name };
    const { phase } = status;
    if (known?.info.runtime !== info.runtime || known.info.task !== info.task) {
      if (known !== undefined) jobInfo.remove(known.info);
      jobInfo.set(info, 1);
    }
    if (known?.phase !== phase && known?.phase !== undefined) {
      jobPhase.remove({ namespace, name, phase: known.phase });
    }
    if (phase !== undefined) jobPhase.set({ namespace, name, phase }, 1);
    this.#series.set(key, { info, phase });
    const { gpuSeconds, cost } = status.usage ?? {};
    if (gpuSeconds !== undefined) this.#metrics.jobGpuSeconds.set({ namespace, name }, gpuSeconds);
    if (cost !== undefined) this.#metrics.jobCost.set({ namespace, name }, Number(cost));
    if (status.progress === undefined) return;
    const { trainLoss, evalLoss, step, totalSteps } = status.progress;
    this.#numbers(
      { namespace, name },
      {
        step,
        totalSteps,
        trainLoss: decimal(trainLoss),
        evalLoss: decimal(evalLoss),
      },
    );
  }

  /** What the trainer says now: newer than what is in the status. */
  live(key: string, progress: Progress): void {
    const known = this.#series.get(key);
    if (known === undefined) return;
    const { namespace, name } = known.info;
    this.#numbers({ namespace, name }, progress);
  }

  remove(key: string): void {
    const known = this.#series.get(key);
    if (known === undefined) return;
    this.#series.delete(key);
    const { info, phase } = known;
    const labels = { namespace: info.namespace, name: info.name };
    const { jobInfo, jobPhase, jobLoss, jobEvalLoss, jobProgress, jobStep } = this.#metrics;
    const { jobGpuSeconds, jobCost } = this.#metrics;
    jobInfo.remove(info);
    if (phase !== undefined) jobPhase.remove({ ...labels, phase });
    for (const gauge of [jobLoss, jobEvalLoss, jobProgress, jobStep, jobGpuSeconds, jobCost])
      gauge.remove(labels);
  }

  #numbers(
    labels: JobLabels,
    numbers: {
      step: number;
      totalSteps: number;
      trainLoss?: number | undefined;
      evalLoss?: number | undefined;
    },
  ): void {
    const { jobLoss, jobEvalLoss, jobProgress, jobStep } = this.#metrics;
    jobStep.set(labels, numbers.step);
    jobProgress.set(labels, numbers.totalSteps === 0 ? 0 : numbers.step / numbers.totalSteps);
    if (numbers.trainLoss !== undefined) jobLoss.set(labels, numbers.trainLoss);
    if (numbers.evalLoss !== undefined) jobEvalLoss.set(labels, numbers.evalLoss);
  }
}

function decimal(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
