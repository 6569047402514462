/** Objects for the tests of decide/ and manifests/, and a small world in which plans come true. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { type FineTuneJobSpec, fineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import { type FineTuneRuntimeSpec, fineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import {
  contractVersion,
  type PreflightReport,
  type Progress,
  type ResultOf,
} from '../../crds/trainer-contract.ts';
import { decide } from '../../operator/decide/decide.ts';
import type { FineTuneJob, FineTuneRuntime, Observed, Plan } from '../../operator/decide/plan.ts';
import { type Stage, stageLabels, stageName } from '../../operator/manifests/names.ts';

export const jobUid = '11111111-2222-3333-4444-555555555555';
export const digest = `sha256:${'a'.repeat(64)}`;
export const start = new Date('2026-01-01T00:00:00Z');

export function after(seconds: number): Date {
  return new Date(start.getTime() + seconds * 1000);
}

const s3 = (prefix: string) => ({
  s3: {
    endpoint: 'http://s3.example.com:7070',
    bucket: 'finetune',
    prefix,
    credentialsSecretRef: { name: 's3-credentials' },
  },
});

/** The spec as the API server stores it: with every default. */
export function specOf(changes: object = {}): FineTuneJobSpec {
  return fineTuneJobSpec.parse({
    task: 'SequenceClassification',
    model: s3('models/minilm'),
    dataset: { source: s3('data/spam'), splits: { train: 'train.jsonl', test: 'test.jsonl' } },
    output: s3('runs/spam'),
    ...changes,
  });
}

export function aJob(spec: object = {}, metadata: object = {}): FineTuneJob {
  return {
    apiVersion: 'finetune.dev/v1alpha1',
    kind: 'FineTuneJob',
    metadata: { name: 'spam-filter', namespace: 'team-a', uid: jobUid, generation: 1, ...metadata },
    spec: specOf(spec),
  };
}

export function runtimeSpec(changes: object = {}): FineTuneRuntimeSpec {
  return fineTuneRuntimeSpec.parse({ image: 'registry.example.com/trainer:1', ...changes });
}

export function aRuntime(changes: object = {}): FineTuneRuntime {
  return {
    apiVersion: 'finetune.dev/v1alpha1',
    kind: 'FineTuneRuntime',
    metadata: { name: 'default' },
    spec: runtimeSpec(changes),
  };
}

/** A batch Job as the API server would hold it. */
export function aBatchJob(job: FineTuneJob, stage: Stage, changes: Partial<V1Job> = {}): V1Job {
  const { runId } = job.spec;
  const { metadata, ...rest } = changes;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: stageName(job.metadata, runId, stage),
      namespace: job.metadata.namespace,
      uid: `${stage}-${runId}`,
      creationTimestamp: start,
      labels: stageLabels(job.metadata, runId, stage),
      ...metadata,
    },
    spec: { template: {} },
    ...rest,
  };
}

export function aPod(
  batchJob: V1Job,
  uid: string,
  status: V1Pod['status'] = {},
  metadata: object = {},
): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${batchJob.metadata?.name}-${uid}`,
      namespace: batchJob.metadata?.namespace ?? '',
      uid,
      creationTimestamp: start,
      labels: batchJob.metadata?.labels ?? {},
      ownerReferences: [
        {
          apiVersion: 'batch/v1',
          kind: 'Job',
          name: batchJob.metadata?.name ?? '',
          uid: batchJob.metadata?.uid ?? '',
          controller: true,
        },
      ],
      ...metadata,
    },
    spec: {
      nodeName: 'node-1',
      containers: [{ name: 'trainer', resources: { limits: { memory: '8Gi' } } }],
    },
    status,
  };
}

export const runningStatus: NonNullable<V1Pod['status']> = {
  phase: 'Running',
  podIP: '10.0.0.9',
  conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: start }],
  containerStatuses: [container({ running: { startedAt: start } })],
};

/** A trainer that runs since so many seconds after the start. */
export function runningFrom(seconds: number): NonNullable<V1Pod['status']> {
  return {
    ...runningStatus,
    containerStatuses: [container({ running: { startedAt: after(seconds) } })],
  };
}

export function waitingStatus(reason: string, message?: string): NonNullable<V1Pod['status']> {
  return {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: start },
      { type: 'PodReadyToStartContainers', status: 'False' },
    ],
    containerStatuses: [container({ waiting: { reason, ...(message !== undefined && { message }) } })],
  };
}

export function unschedulable(message: string): NonNullable<V1Pod['status']> {
  return {
    phase: 'Pending',
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
  };
}

/** A pod whose container ended. `message` is text, or an object that becomes JSON. */
export function endedStatus(
  exitCode: number,
  message: unknown = '',
  reason = exitCode === 0 ? 'Completed' : 'Error',
): NonNullable<V1Pod['status']> {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  return {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [
      container({
        terminated: { exitCode, reason, message: text, startedAt: start, finishedAt: after(100) },
      }),
    ],
  };
}

function container(state: object) {
  return { name: 'trainer', image: '', imageID: '', ready: false, restartCount: 0, state };
}

export function jobCondition(type: string, reason: string, message = ''): NonNullable<V1Job['status']> {
  return { conditions: [{ type, status: 'True', reason, message }] };
}

const split = {
  rows: 100,
  digest,
  truncatedRows: 1,
  duplicateRows: 2,
  nearDuplicateRows: 1,
  labels: [
    ['ham', 60],
    ['spam', 40],
  ],
};

export const preflightReport = {
  splits: { train: split, test: { ...split, rows: 30 } },
  labels: 2,
  tokens: { median: 40, p95: 120, max: 600 },
  leakedRows: 0,
  nearLeakedRows: 0,
  conflictingRows: 0,
  unknownTokenShare: 0.001,
  lengthRuleAccuracy: 0.6,
  totalSteps: 21,
  memoryEstimateBytes: 2_000_000_000,
  diskEstimateBytes: 1_000_000_000,
  modelType: 'bert',
  parameters: 22_700_000,
  modelDigest: digest,
  warnings: ['3 rows are very long.'],
} as PreflightReport;

function speaker(podUid: string) {
  return { contractVersion, jobUid, runId: '1', podUid } as const;
}

export function validated(podUid: string): ResultOf<'Validated'> {
  return { ...speaker(podUid), outcome: 'Validated', preflight: preflightReport };
}

const checkpoint = {
  step: 20,
  time: '2026-01-01T00:01:00Z',
  uri: 's3://finetune/runs/spam/checkpoints/20',
  digest,
  metric: { name: 'loss', value: 0.23456789 },
};

const training = {
  step: 21,
  totalSteps: 21,
  epoch: 3,
  device: 'CPU',
  trainSeconds: 61.4,
  trainedTokens: 4000,
  history: [
    [1, 0.7, null],
    [21, 0.1, 0.2],
  ] as [number, number | null, number | null][],
  checkpoints: [checkpoint],
};

const evaluation = {
  rows: 30,
  baseline: { loss: 0.7, accuracy: 0.5, f1: 0.4, weightedF1: 0.45 },
  final: { loss: 0.1, accuracy: 0.97, f1: 0.96, weightedF1: 0.965 },
  gain: { metric: 'accuracy', value: 0.47, low: 0.4, high: 0.54 },
};

export function succeeded(podUid: string): ResultOf<'Succeeded'> {
  const model = {
    uri: 's3://finetune/runs/spam/model',
    digest,
    format: 'safetensors',
    bytes: 90_000_000,
    reportUri: 's3://finetune/runs/spam/report.html',
  };
  return { ...speaker(podUid), ...training, outcome: 'Succeeded', evaluation, model };
}

export function rejected(podUid: string): ResultOf<'Rejected'> {
  return {
    ...speaker(podUid),
    ...training,
    outcome: 'Rejected',
    evaluation,
    message: 'f1 0.7 is below the minimum 0.9.',
    reportUri: 's3://finetune/runs/spam/report.html',
  };
}

export function failed(
  podUid: string,
  category: ResultOf<'Failed'>['category'],
  message: string,
): ResultOf<'Failed'> {
  return { ...speaker(podUid), outcome: 'Failed', category, message, hint: 'Correct it.', step: 7 };
}

export function interrupted(podUid: string): ResultOf<'Interrupted'> {
  return {
    ...speaker(podUid),
    outcome: 'Interrupted',
    step: 20,
    checkpoints: [checkpoint],
    trainSeconds: 50,
    trainedTokens: 3000,
  };
}

export function progressOf(podUid: string, changes: Partial<Progress> = {}): Progress {
  return {
    ...speaker(podUid),
    phase: 'Training',
    step: 10,
    totalSteps: 21,
    epoch: 1.5,
    trainLoss: 0.456789123,
    learningRate: 5e-5,
    tokensPerSecond: 770.123,
    etaSeconds: 33.3,
    device: 'CPU',
    trainSeconds: 30,
    trainedTokens: 2000,
    history: [
      [1, 0.7, null],
      [10, 0.45, null],
    ],
    checkpoints: [],
    ...changes,
  };
}

export function observe(changes: Partial<Observed> = {}): Observed {
  return {
    job: aJob(),
    runtime: aRuntime(),
    batchJobs: [],
    pods: [],
    foreign: [],
    refusals: [],
    progress: undefined,
    ...changes,
  };
}

/**
 * The same world with what the plan wants done and said: Jobs made, taken up by the Job controller, patched and deleted, the
 * status stored.
 */
export function comeTrue(observed: Observed, plan: Plan): Observed {
  let batchJobs = observed.batchJobs;
  for (const action of plan.actions) {
    if (action.kind === 'create') {
      const created = action.object as V1Job;
      const metadata = {
        ...created.metadata,
        uid: `uid-${created.metadata?.name}`,
        creationTimestamp: start,
      };
      const status = created.spec?.suspend === true ? {} : { status: { startTime: start } };
      batchJobs = [...batchJobs, { ...created, metadata, ...status }];
    } else if (action.kind === 'delete') {
      batchJobs = batchJobs.filter((job) => job.metadata?.uid !== action.uid);
    } else {
      batchJobs = batchJobs.map((job) =>
        job.metadata?.uid === action.uid ? (mergePatch(job, action.patch) as V1Job) : job,
      );
    }
  }
  const refusals = plan.actions.length > 0 ? [] : observed.refusals;
  return { ...observed, batchJobs, refusals, job: { ...observed.job, status: plan.status } };
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = { ...(target as object | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** One pass, and the world after it. */
export function pass(observed: Observed, now: Date = start): { plan: Plan; next: Observed } {
  const plan = decide(observed, now);
  return { plan, next: comeTrue(observed, plan) };
}

/** A job whose preflight has passed: its train Job exists, without a pod. */
export function trained(spec: object = {}, runtime: object = {}): { next: Observed; trainJob: V1Job } {
  let world = pass(observe({ job: aJob(spec), runtime: aRuntime(runtime) })).next;
  world = { ...world, pods: [aPod(world.batchJobs[0]!, 'check', endedStatus(0, validated('check')))] };
  const { next: made } = pass(world);
  const [checked, ...others] = made.batchJobs;
  const next = { ...made, batchJobs: [{ ...checked, status: jobCondition('Complete', 'Done') }, ...others] };
  return { next, trainJob: next.batchJobs.find(({ metadata }) => metadata?.name?.endsWith('-train'))! };
}
