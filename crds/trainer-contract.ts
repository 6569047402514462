/**
 * Everything the operator and the trainer say to each other, and the only file in which they meet:
 * run config (operator -> trainer, a mounted file), progress (trainer -> operator, GET /progress),
 * result (trainer -> operator, the termination message of at most 4096 bytes).
 */
import * as z from 'zod';
import { failureCategories } from './failures.ts';
import {
  type ColumnRole,
  columnRoles,
  type MetricName,
  metricNames,
  problemTypeNames,
  taskNames,
} from './tasks.ts';

export const contractVersion = 1;

/** Paths inside the pods. */
export const paths = {
  runConfig: '/etc/finetune/run.json',
  credentials: '/var/run/finetune/credentials',
  volumes: '/mnt/finetune',
  work: '/work',
  terminationMessage: '/dev/termination-log',
} as const;

export const httpPort = 8080;
export const maxTerminationBytes = 4096;
export const maxProgressBytes = 32_768;
export const maxHistoryPoints = 50;
/** Labels that the report of a split lists, the most frequent first. */
export const maxListedLabels = 12;
/** Columns of dataset.slices, and different values that one of them may have. */
export const maxSliceColumns = 4;
export const maxSlices = 64;

/** Environment of the trainer container, from the downward API: ties progress and result to one pod. */
export const podIdentity = { uid: 'POD_UID', name: 'POD_NAME', node: 'NODE_NAME' } as const;

const finite = z.number();

const location = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('s3'),
    uri: z.string(),
    endpoint: z.string(),
    bucket: z.string(),
    prefix: z.string(),
    region: z.string(),
    /** Folder with the files accessKeyId, secretAccessKey and perhaps sessionToken; absent = unsigned requests. */
    credentialsDirectory: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal('volume'), uri: z.string(), directory: z.string() }),
]);

const metric = z.enum(metricNames);
const unit = z.number().min(0).max(1);

export const runConfig = z.strictObject({
  contractVersion: z.literal(contractVersion),
  job: z.strictObject({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    runId: z.string(),
    /** status.startTime: a job that goes back to an earlier runId begins anew, and what that one left is not its own. */
    startTime: z.string(),
  }),
  task: z.enum(taskNames),
  problemType: z.enum(problemTypeNames).optional(),
  model: location,
  dataset: z.strictObject({
    source: location,
    format: z.enum(['JSONL', 'CSV', 'TSV', 'Parquet', 'Text']),
    /** Names of the columns that the task reads, by their role. */
    columns: z.partialRecord(z.enum(Object.keys(columnRoles) as [ColumnRole, ...ColumnRole[]]), z.string()),
    labels: z.array(z.string()).optional(),
    slices: z.array(z.string()).optional(),
    splits: z.strictObject({
      train: z.string(),
      validation: z.string().optional(),
      test: z.string().optional(),
    }),
    fractions: z.strictObject({ validation: unit.optional(), test: unit.optional() }),
  }),
  training: z.strictObject({
    epochs: z.number().positive(),
    batchSize: z.int().min(1),
    gradientAccumulationSteps: z.int().min(1),
    gradientCheckpointing: z.boolean(),
    bf16: z.boolean(),
    learningRate: z.number().positive(),
    schedule: z.discriminatedUnion('name', [
      z.strictObject({
        name: z.enum(['Linear', 'Cosine', 'Constant', 'ConstantWithWarmup', 'InverseSqrt']),
      }),
      z.strictObject({ name: z.literal('CosineWithRestarts'), numCycles: z.int().min(1) }),
      z.strictObject({
        name: z.literal('Polynomial'),
        power: z.number().positive(),
        endLearningRate: z.number().min(0),
      }),
      z.strictObject({
        name: z.literal('ReduceLROnPlateau'),
        factor: z.number().gt(0).lt(1),
        patience: z.int().min(0),
        threshold: unit,
        cooldown: z.int().min(0),
        minLearningRate: z.number().min(0),
      }),
    ]),
    /** Below 1 the part of all steps, else their number. */
    warmup: z.number().min(0),
    optimizer: z.discriminatedUnion('name', [
      z.strictObject({ name: z.literal('AdamW') }),
      z.strictObject({ name: z.literal('SGD'), momentum: unit }),
      z.strictObject({ name: z.literal('Adafactor') }),
    ]),
    weightDecay: z.number().min(0),
    maxGradNorm: z.number().min(0),
    labelSmoothing: unit,
    classWeights: z.enum(['Balanced']).optional(),
    focalLossGamma: z.number().min(0).max(10).optional(),
    rDropAlpha: z.number().positive().optional(),
    freeze: z.array(z.string()).optional(),
    layerwiseLearningRateDecay: unit.optional(),
    ema: z.strictObject({ decay: z.number().gt(0).lt(1) }).optional(),
    maxLength: z.int().min(8),
    trainSamplingStrategy: z.enum(['GroupByLength', 'TokenBudget']),
    packing: z.enum(['None', 'BestFitDecreasing', 'Wrapped']),
    stride: z.int().min(0).optional(),
    dropout: unit.optional(),
    masking: z.strictObject({ probability: z.number().gt(0).lt(1), wholeWord: z.boolean() }).optional(),
    seed: z.int().min(0),
    earlyStopping: z
      .strictObject({ metric, patience: z.int().min(1), minDelta: z.number().min(0) })
      .optional(),
  }),
  evaluation: z.strictObject({ everySteps: z.int().min(1).optional(), baseline: z.boolean() }),
  gate: z
    .strictObject({
      metric,
      minimum: unit.optional(),
      maximum: z.number().min(0).optional(),
      minimumGainOverBaseline: z.number().min(0).optional(),
      slices: z
        .strictObject({
          minimum: unit.optional(),
          maximum: z.number().min(0).optional(),
          maximumGap: z.number().min(0).optional(),
        })
        .optional(),
    })
    .optional(),
  output: location,
  checkpoints: z.strictObject({ everySteps: z.int().min(1), keep: z.int().min(1) }),
  /** Size of the work volume; a pod that writes more is evicted. */
  workBytes: z.number().positive(),
  accelerator: z.strictObject({
    resourceName: z.string(),
    count: z.int().min(0),
    whenUnusable: z.enum(['Fail', 'UseCPU']),
  }),
  /** What preflight saw; the trainer refuses data that changed since. Absent in preflight. */
  expected: z
    .strictObject({
      modelDigest: z.string(),
      trainDigest: z.string(),
      validationDigest: z.string().optional(),
      testDigest: z.string(),
    })
    .optional(),
});
export type RunConfig = z.infer<typeof runConfig>;
export type Location = z.infer<typeof location>;

type Finite = Record<MetricName, z.ZodOptional<z.ZodNumber>>;
export const metricValues = z.strictObject(
  Object.fromEntries(metricNames.map((name) => [name, finite.optional()])) as Finite,
);
export type MetricValues = z.infer<typeof metricValues>;

/** [step, training loss or null, evaluation loss or null]: compact, since it also travels in the termination message. */
const historyPoint = z.tuple([z.int().min(0), finite.nullable(), finite.nullable()]);
export type HistoryPoint = z.infer<typeof historyPoint>;

const checkpoint = z.strictObject({
  step: z.int().min(0),
  time: z.string().max(32),
  uri: z.string().max(1024),
  digest: z.string().max(71),
  /** Of the last evaluation on the validation split before it. */
  metric: z.strictObject({ name: z.string().max(32), value: finite }).optional(),
});
export type CheckpointRecord = z.infer<typeof checkpoint>;

export const trainerPhases = [
  'Starting',
  'Downloading',
  'Preparing',
  'EvaluatingBase',
  'Training',
  'Evaluating',
  'Exporting',
  'Finished',
] as const;
export type TrainerPhase = (typeof trainerPhases)[number];

/** A column of dataset.slices in short: where the tuned model is worst, and how far that is from where it is best. */
const sliceSummary = z.strictObject({
  column: z.string().max(128),
  worst: z
    .strictObject({
      slice: z.string().max(128),
      rows: z.int().min(0),
      baseline: finite.optional(),
      final: finite,
    })
    .optional(),
  gap: z.strictObject({ baseline: finite.optional(), final: finite }).optional(),
  /** Of the gap, tuned model against base model. */
  growth: z.strictObject({ value: finite, low: finite, high: finite }).optional(),
});
export type SliceSummary = z.infer<typeof sliceSummary>;

/** What training and validation loss say about overfitting. */
const overfitting = z.strictObject({
  /** Mean of the last steps. */
  trainLoss: finite,
  /** Of the last evaluation and of the best one, on the validation split. */
  evalLoss: finite,
  lowestEvalLoss: finite,
  lowestStep: z.int().min(0),
  /** Whose weights are kept. */
  bestStep: z.int().min(0),
  stoppedEarly: z.boolean(),
});
export type Overfitting = z.infer<typeof overfitting>;

const evaluation = z.strictObject({
  rows: z.int().min(0),
  baseline: metricValues.optional(),
  final: metricValues,
  gain: z.strictObject({ metric: z.string().max(32), value: finite, low: finite, high: finite }).optional(),
  slices: z.array(sliceSummary).max(maxSliceColumns).optional(),
  /** Absent without a validation split. */
  overfitting: overfitting.optional(),
});
export type Evaluation = z.infer<typeof evaluation>;

/** Answer of GET /progress. */
export const progress = z.strictObject({
  contractVersion: z.literal(contractVersion),
  jobUid: z.string().max(64),
  runId: z.string().max(32),
  podUid: z.string().max(64),
  phase: z.enum(trainerPhases),
  step: z.int().min(0),
  totalSteps: z.int().min(0),
  epoch: finite,
  trainLoss: finite.optional(),
  evalLoss: finite.optional(),
  learningRate: finite.optional(),
  tokensPerSecond: finite.optional(),
  etaSeconds: finite.optional(),
  device: z.string().max(64).optional(),
  resumedFromStep: z.int().min(0).optional(),
  trainSeconds: finite,
  trainedTokens: z.int().min(0),
  history: z.array(historyPoint).max(maxHistoryPoints),
  checkpoints: z.array(checkpoint).max(20),
  baseline: metricValues.optional(),
});
export type Progress = z.infer<typeof progress>;

const splitReport = z.strictObject({
  rows: z.int(),
  digest: z.string().max(71),
  truncatedRows: z.int(),
  duplicateRows: z.int(),
  nearDuplicateRows: z.int(),
  lostWords: z.int().optional(),
  labels: z.array(z.tuple([z.string().max(128), z.int()])).max(maxListedLabels),
});

export const preflightReport = z.strictObject({
  splits: z.strictObject({ train: splitReport, validation: splitReport.optional(), test: splitReport }),
  labels: z.int(),
  tokens: z.strictObject({ median: z.int(), p95: z.int(), max: z.int() }),
  leakedRows: z.int(),
  nearLeakedRows: z.int(),
  conflictingRows: z.int(),
  unknownTokenShare: unit,
  lengthRuleAccuracy: unit.optional(),
  totalSteps: z.int(),
  memoryEstimateBytes: z.int(),
  diskEstimateBytes: z.int(),
  modelType: z.string().max(64),
  parameters: z.int(),
  modelDigest: z.string().max(71),
  warnings: z.array(z.string().max(256)).max(12),
});
export type PreflightReport = z.infer<typeof preflightReport>;

/** Fields that every result has: which run and which pod speaks. */
const speaker = {
  contractVersion: z.literal(contractVersion),
  jobUid: z.string().max(64),
  runId: z.string().max(32),
  podUid: z.string().max(64),
};

const training = {
  step: z.int().min(0),
  totalSteps: z.int().min(0),
  epoch: finite,
  device: z.string().max(64),
  resumedFromStep: z.int().min(0).optional(),
  trainSeconds: finite,
  trainedTokens: z.int().min(0),
  history: z.array(historyPoint).max(maxHistoryPoints),
  checkpoints: z.array(checkpoint).max(20),
};

/** The termination message. */
export const result = z.discriminatedUnion('outcome', [
  z.strictObject({ ...speaker, outcome: z.literal('Validated'), preflight: preflightReport }),
  z.strictObject({
    ...speaker,
    ...training,
    outcome: z.literal('Succeeded'),
    evaluation,
    model: z.strictObject({
      uri: z.string().max(1024),
      digest: z.string().max(71),
      format: z.string().max(64),
      bytes: z.int(),
      reportUri: z.string().max(1024),
    }),
  }),
  z.strictObject({
    ...speaker,
    ...training,
    outcome: z.literal('Rejected'),
    evaluation,
    message: z.string().max(512),
    reportUri: z.string().max(1024),
  }),
  z.strictObject({
    ...speaker,
    outcome: z.literal('Failed'),
    category: z.enum(failureCategories),
    message: z.string().max(2048),
    hint: z.string().max(1024),
    step: z.int().min(0).optional(),
  }),
  z.strictObject({
    ...speaker,
    outcome: z.literal('Interrupted'),
    step: z.int().min(0),
    checkpoints: z.array(checkpoint).max(20),
    trainSeconds: finite,
    trainedTokens: z.int().min(0),
  }),
]);
export type Result = z.infer<typeof result>;
export type ResultOf<O extends Result['outcome']> = Extract<Result, { outcome: O }>;
