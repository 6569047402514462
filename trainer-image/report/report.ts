import { type Kind, type MetricName, mainMetric, metricsOf, metricTitle } from '../../crds/tasks.ts';
import type { MetricValues, Overfitting, RunConfig } from '../../crds/trainer-contract.ts';
import type { DataReport } from '../data/report.ts';
import type { Gain } from '../metrics/bootstrap.ts';
import type { ClassScores } from '../metrics/classification.ts';
import type { SliceScores } from '../metrics/slices.ts';

/** One model on the test split: its metrics, and what else the task tells. */
export type EvaluatedModel = MetricValues & {
  rows: number;
  loss: number;
  /** confusion[actual][predicted] = rows, in the order of the labels. */
  confusion?: number[][];
  /** Of each label, or type of entity. */
  classes?: (ClassScores & { name: string })[];
};

/** The metrics of a task alone, in its order. */
export function metricsOfModel(kind: Kind, model: EvaluatedModel): MetricValues & { loss: number } {
  const values = metricsOf(kind).map((name) => [name, model[name]]);
  return Object.fromEntries(values) as MetricValues & { loss: number };
}

/** What the tuned model got wrong in a row, and how wrong: what is measured depends on the task, more is worse. */
export type Mistake = { label: string; predicted: string; severity: number };

/** A row of the test split that the tuned model got wrong. */
export type WorstError = Mistake & { line: number; excerpt: string };

/** One evaluation on the validation split. */
export type ValidationPoint = MetricValues & { step: number; loss: number };

/** report.json: all that is known about a run. */
export type Report = {
  createdAt: string;
  verdict: { outcome: 'Succeeded' | 'Rejected'; sentence: string; reasons: string[] };
  config: RunConfig;
  versions: { trainer: string; node: string; tensorflow: string };
  device: string;
  /** Only on what TensorFlow did without although it was asked for. */
  deviceWarning?: string;
  labels: string[];
  model: {
    uri: string;
    digest: string;
    modelType: string;
    parameters: number;
    /** Weights that the checkpoint lacks: they start at random values. */
    newlyInitialized: string[];
    /** Weights of the checkpoint that the task does not use. */
    unusedKeys: string[];
  };
  data: DataReport;
  training: {
    steps: number;
    totalSteps: number;
    stepsPerEpoch: number;
    stoppedEarly: boolean;
    best?: { step: number; metric: MetricName; value: number };
    trainSeconds: number;
    trainedTokens: number;
    resumedFromStep?: number;
  };
  /** Loss of every step; step i + 1 is at index i. */
  stepLosses: number[];
  learningRates: number[];
  validation: ValidationPoint[];
  /** Absent without a validation split. */
  overfitting?: Overfitting;
  baseline?: EvaluatedModel;
  final: EvaluatedModel;
  gain?: Gain;
  /** One for each column of dataset.slices. */
  slices: SliceScores[];
  worstErrors: WorstError[];
  /** Seconds by phase of the last attempt. */
  timings: Record<string, number>;
};

/** "0.9876" as people read it. */
export const score = (value: number | undefined) =>
  value === undefined ? 'not measured' : value.toFixed(value > 0.9995 && value < 1 ? 4 : 3);

/** The first line of the report: better than the base model, or not, with the figures. */
export function verdictSentence(
  { final, baseline, gain }: Pick<Report, 'final' | 'baseline' | 'gain'>,
  kind: Kind,
): string {
  if (baseline === undefined || gain === undefined) {
    const metric = mainMetric(kind);
    return `${metricTitle(kind, metric)} ${score(final[metric])} on ${final.rows} held-out rows; the base model was not evaluated`;
  }
  const { metric, value, low, high } = gain;
  const change = low > 0 ? 'Better than' : high < 0 ? 'Worse than' : 'Not clearly different from';
  const figures = `${metric} ${score(final[metric])} against ${score(baseline[metric])}`;
  return `${change} the base model: ${figures}, gain ${score(value)} [${score(low)}, ${score(high)}]`;
}
