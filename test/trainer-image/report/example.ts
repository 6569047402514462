import type { RunConfig } from '../../../crds/trainer-contract.ts';
import { bootstrapGain } from '../../../trainer-image/metrics/bootstrap.ts';
import { classificationScores } from '../../../trainer-image/metrics/classification.ts';
import { sliceScores } from '../../../trainer-image/metrics/slices.ts';
import { type Report, verdictSentence } from '../../../trainer-image/report/report.ts';

const volume = (name: string) =>
  ({ kind: 'volume', uri: `pvc://${name}`, directory: `/mnt/${name}` }) as const;

export function exampleConfig(labels: string[] = ['ham', 'spam']): RunConfig {
  return {
    contractVersion: 1,
    job: {
      namespace: 'team-a',
      name: 'spam-filter',
      uid: 'uid-1',
      runId: '1',
      startTime: '2026-01-01T00:00:00Z',
    },
    task: 'SequenceClassification',
    model: volume('model'),
    dataset: {
      source: volume('data'),
      format: 'JSONL',
      columns: { text: 'text', label: 'label' },
      labels,
      splits: { train: 'train.jsonl', validation: 'validation.jsonl', test: 'test.jsonl' },
      fractions: {},
    },
    training: {
      epochs: 2,
      batchSize: 16,
      gradientAccumulationSteps: 1,
      gradientCheckpointing: false,
      bf16: false,
      learningRate: 5e-5,
      schedule: { name: 'Linear' },
      warmup: 0.06,
      optimizer: { name: 'AdamW' },
      weightDecay: 0.01,
      maxGradNorm: 1,
      labelSmoothing: 0,
      maxLength: 96,
      trainSamplingStrategy: 'GroupByLength',
      packing: 'None',
      seed: 42,
      earlyStopping: { metric: 'loss', patience: 3, minDelta: 0 },
    },
    workBytes: 64 * 2 ** 30,
    evaluation: { everySteps: 20, baseline: true },
    gate: { metric: 'f1', minimum: 0.9 },
    output: volume('output'),
    checkpoints: { everySteps: 50, keep: 2 },
    accelerator: { resourceName: 'nvidia.com/gpu', count: 0, whenUnusable: 'Fail' },
  };
}

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** A report of 240 steps with made-up curves; the same on each call. */
export function exampleReport(change: Partial<Report> = {}): Report {
  const labels = change.labels ?? ['ham', 'spam'];
  const rows = 400;
  const actual = Array.from({ length: rows }, (_, row) => (row * 7) % labels.length);
  const wrongEvery = (n: number) =>
    actual.map((label, row) => (row % n === 1 ? (label + 1) % labels.length : label));
  const [base, tuned] = [wrongEvery(2), wrongEvery(50)];
  const modelOf = (predicted: number[], loss: number) => {
    const scores = classificationScores(actual, predicted, labels.length);
    const classes = scores.classes.map((one, id) => ({ name: labels[id]!, ...one }));
    return { ...scores, ece: 0.02, classes, loss };
  };
  const accuracyOf = (predicted: number[]) => (drawn: ArrayLike<number>) =>
    Array.from(drawn).filter((row) => predicted[row] === actual[row]).length / drawn.length;
  const languages = ['de', 'en', 'is'];
  const languageOf = (row: number) => (row < 20 ? 2 : row % 50 === 1 || row % 3 === 0 ? 0 : 1);
  const sliced = {
    column: 'language',
    values: languages,
    of: Int32Array.from({ length: rows }, (_, row) => languageOf(row)),
  };
  const steps = 240;
  const noise = (i: number) => Math.sin(i * 12.9898) * Math.cos(i * 4.1414);
  const split = {
    rows,
    digest,
    truncatedRows: 12,
    duplicateRows: 3,
    nearDuplicateRows: 5,
    labels: labels.map((label): [string, number] => [label, rows / labels.length]),
  };
  const report = {
    createdAt: '2026-01-02T03:04:05.000Z',
    config: exampleConfig(labels),
    versions: { trainer: '0.1.0', node: '24.0.0', tensorflow: '2.21.0' },
    device: 'CPU',
    labels,
    model: {
      uri: 'pvc://model',
      digest,
      modelType: 'bert',
      parameters: 22_713_216,
      newlyInitialized: ['classifier.weight', 'classifier.bias'],
      unusedKeys: ['cls.predictions.bias'],
    },
    data: {
      splits: { train: split, validation: split, test: split },
      labels: labels.length,
      tokens: { median: 81, p95: 420, max: 1900 },
      leakedRows: 4,
      nearLeakedRows: 2,
      conflictingRows: 0,
      unknownTokenShare: 0.0123,
      lengthRuleAccuracy: 0.75,
      warnings: [
        '4 rows of the test split are also in the train split: the result is too good by that much.',
      ],
    },
    training: {
      steps,
      totalSteps: steps,
      stepsPerEpoch: 120,
      stoppedEarly: false,
      best: { step: 180, metric: 'loss', value: 0.11 } as const,
      trainSeconds: 312,
      trainedTokens: 301_442,
    },
    stepLosses: Array.from(
      { length: steps },
      (_, i) => 0.05 + 0.65 * Math.exp(-i / 50) + 0.05 * Math.abs(noise(i)),
    ),
    learningRates: Array.from(
      { length: steps },
      (_, i) => 5e-5 * Math.min(i / 14, (steps - i) / (steps - 14)),
    ),
    validation: Array.from({ length: steps / 20 }, (_, i) => ({
      step: (i + 1) * 20,
      loss: 0.1 + 0.5 * Math.exp(-i / 2.5) + Math.max(0, i - 8) * 0.012,
      accuracy: 0.98 - 0.3 * Math.exp(-i / 2),
      f1: 0.975 - 0.4 * Math.exp(-i / 2),
      weightedF1: 0.978,
    })),
    overfitting: {
      trainLoss: 0.09,
      evalLoss: 0.14,
      lowestEvalLoss: 0.11,
      lowestStep: 180,
      bestStep: 180,
      stoppedEarly: false,
    },
    baseline: modelOf(base, 0.71),
    final: modelOf(tuned, 0.09),
    gain: bootstrapGain('accuracy', { base: accuracyOf(base), tuned: accuracyOf(tuned), rows, seed: 42 }),
    slices: [
      sliceScores(sliced, { metric: 'accuracy', base: accuracyOf(base), tuned: accuracyOf(tuned), seed: 42 }),
    ],
    worstErrors: [
      {
        line: 17,
        label: labels[0]!,
        predicted: labels[1]!,
        severity: 0.993,
        excerpt: 'You have won a prize',
      },
    ],
    timings: { Downloading: 1.2, Training: 312 },
    ...change,
  };
  const verdict = {
    outcome: 'Succeeded' as const,
    sentence: verdictSentence(report, 'SingleLabelClassification'),
    reasons: [],
  };
  return { verdict, ...report };
}
