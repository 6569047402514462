/** The metrics of single jobs: known from each pass and each answer of a trainer, gone with the job. */
import type { MetricValue } from 'prom-client';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import type { Progress } from '../../crds/trainer-contract.ts';
import type { FineTuneJob } from '../decide/plan.ts';
import { gauges, type Metrics } from '../metrics.ts';

type Numbers = {
  step: number | undefined;
  progress: number | undefined;
  trainLoss: number | undefined;
  evalLoss: number | undefined;
  gpuSeconds: number | undefined;
  cost: number | undefined;
};
type Shown = Numbers & {
  uid: string;
  runId: string;
  task: string;
  runtime: string;
  phase: string | undefined;
  /** UID of the pod that the step and the losses are from, if its trainer told them itself. */
  pod: string | undefined;
};

/** What a gauge tells of a job, if anything. */
type Measure = (shown: Shown) => MetricValue<string> | undefined;

const numbers: [{ name: string }, keyof Numbers][] = [
  [gauges.jobLoss, 'trainLoss'],
  [gauges.jobEvalLoss, 'evalLoss'],
  [gauges.jobProgress, 'progress'],
  [gauges.jobStep, 'step'],
  [gauges.jobGpuSeconds, 'gpuSeconds'],
  [gauges.jobCost, 'cost'],
];

export class JobSeries {
  /** By "namespace/name". */
  readonly #jobs = new Map<string, Shown>();

  constructor({ madeAtScrape }: Metrics) {
    const read = ({ name }: { name: string }, measure: Measure) =>
      madeAtScrape.set(name, () => this.#values(measure));
    read(gauges.jobInfo, ({ uid, task, runtime }) => ({ value: 1, labels: { uid, task, runtime } }));
    read(gauges.jobPhase, ({ phase }) => (phase === undefined ? undefined : { value: 1, labels: { phase } }));
    for (const [gauge, field] of numbers) {
      read(gauge, ({ [field]: value }) => (value === undefined ? undefined : { value, labels: {} }));
    }
  }

  /**
   * What a pass found and wants. A run shows nothing of the one before it.
   * @param asked UID of the pod that is asked for its progress: what it told itself is newer than what any status tells
   */
  show(
    key: string,
    { metadata: { uid }, spec }: FineTuneJob,
    status: FineTuneJobStatus,
    asked?: string,
  ): void {
    const known = this.#jobs.get(key);
    const { runId } = spec;
    const shown = known?.uid === uid && known.runId === runId ? known : { ...nothingKnown, uid, runId };
    const { phase, usage, progress } = status;
    this.#jobs.set(key, Object.assign(shown, { task: spec.task, runtime: spec.runtimeRef.name, phase }));
    shown.gpuSeconds = usage?.gpuSeconds ?? shown.gpuSeconds;
    shown.cost = decimal(usage?.cost) ?? shown.cost;
    if (shown.pod !== asked) shown.pod = undefined;
    if (progress === undefined || shown.pod !== undefined) return;
    const { trainLoss, evalLoss } = progress;
    update(shown, { ...progress, trainLoss: decimal(trainLoss), evalLoss: decimal(evalLoss) });
  }

  /** What the trainer says now: newer than what is in the status. */
  live(key: string, progress: Progress): void {
    const shown = this.#jobs.get(key);
    if (shown === undefined) return;
    update(shown, progress);
    shown.pod = progress.podUid;
  }

  remove(key: string): void {
    this.#jobs.delete(key);
  }

  /** A value of each job that has one, with the labels that every series of a job has. */
  *#values(measure: Measure): Generator<MetricValue<string>> {
    for (const [key, shown] of this.#jobs) {
      const found = measure(shown);
      if (found === undefined) continue;
      const [namespace = '', name = ''] = key.split('/');
      yield { value: found.value, labels: { namespace, name, ...found.labels } };
    }
  }
}

/** All fields from the start, so that V8 keeps one shape for all jobs. */
const nothingKnown: Shown = {
  uid: '',
  runId: '',
  task: '',
  runtime: '',
  phase: undefined,
  pod: undefined,
  step: undefined,
  progress: undefined,
  trainLoss: undefined,
  evalLoss: undefined,
  gpuSeconds: undefined,
  cost: undefined,
};

type Told = Pick<Progress, 'step' | 'totalSteps'> & {
  trainLoss?: number | undefined;
  evalLoss?: number | undefined;
};

function update(shown: Shown, { step, totalSteps, trainLoss, evalLoss }: Told): void {
  shown.step = step;
  shown.progress = totalSteps === 0 ? 0 : step / totalSteps;
  shown.trainLoss = trainLoss ?? shown.trainLoss;
  shown.evalLoss = evalLoss ?? shown.evalLoss;
}

function decimal(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
