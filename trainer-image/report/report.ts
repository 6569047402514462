import type { RunConfig } from '../../crds/trainer-contract.ts';
import type { DataReport } from '../data/report.ts';
import type { Gain } from '../metrics/bootstrap.ts';
import type { ClassScores } from '../metrics/classification.ts';
import type { MetricName } from '../run/early-stopping.ts';

/** One model on the test split. */
export type EvaluatedModel = {
  rows: number;
  loss: number;
  accuracy: number;
  f1: number;
  weightedF1: number;
  /** confusion[actual][predicted] = rows. */
  confusion: number[][];
  classes: ClassScores[];
};

/** A row of the test split that the tuned model got wrong. */
export type ConfidentError = {
  line: number;
  label: string;
  predicted: string;
  probability: number;
  excerpt: string;
};

/** One evaluation on the validation split. */
export type ValidationPoint = {
  step: number;
  loss: number;
  accuracy: number;
  f1: number;
  weightedF1: number;
};

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
  baseline?: EvaluatedModel;
  final: EvaluatedModel;
  gain?: Gain;
  confidentErrors: ConfidentError[];
  /** Seconds by phase of the last attempt. */
  timings: Record<string, number>;
};

/** "0.9876" as people read it. */
export const score = (value: number) => value.toFixed(value > 0.9995 && value < 1 ? 4 : 3);

/** The first line of the report: better than the base model, or not, with the figures. */
export function verdictSentence(report: Pick<Report, 'final' | 'baseline' | 'gain'>): string {
  const { final, baseline, gain } = report;
  if (baseline === undefined || gain === undefined) {
    return `Accuracy ${score(final.accuracy)} on ${final.rows} held-out rows; the base model was not evaluated`;
  }
  const { metric, value, low, high } = gain;
  const change = low > 0 ? 'Better than' : high < 0 ? 'Worse than' : 'Not clearly different from';
  const figures = `${metric} ${score(final[metric])} against ${score(baseline[metric])}`;
  return `${change} the base model: ${figures}, gain ${score(value)} [${score(low)}, ${score(high)}]`;
}
