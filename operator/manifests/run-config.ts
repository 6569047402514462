/** From the spec of a job to the run config that the trainer reads. */
import type { FineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import type { FineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { kindOf, kinds } from '../../crds/tasks.ts';
import { contractVersion, type RunConfig, runConfig } from '../../crds/trainer-contract.ts';
import type { Stage } from './names.ts';
import { quantityValue } from './quantity.ts';
import { locationOf } from './sources.ts';
import { trainingOf } from './training.ts';

export type RunConfigInput = {
  job: { metadata: { namespace: string; name: string; uid: string }; spec: FineTuneJobSpec };
  runtime: FineTuneRuntimeSpec;
  stage: Stage;
  /** When the run began. */
  startTime: string;
  /** What preflight found; the train stage is held to it. */
  preflight: FineTuneJobStatus['preflight'] | undefined;
  /** Smaller batches than the spec names, because the trainer ran out of memory. */
  microBatch?: FineTuneJobStatus['microBatch'];
};

export type RunConfigOutcome = { config: RunConfig } | { problem: string };

/** Below this a container cannot even start. */
const smallestMemory = 64 * 2 ** 20;

/** The run config, or the field that makes one impossible: what no schema of the API server can refuse. */
export function runConfigOf(input: RunConfigInput): RunConfigOutcome {
  const { memory, cpu } = input.job.spec.resources;
  if (memory !== undefined && quantityValue(memory) < smallestMemory) {
    return { problem: `spec.resources.memory: "${memory}" is less than 64Mi` };
  }
  if (cpu !== undefined && quantityValue(cpu) <= 0) {
    return { problem: `spec.resources.cpu: "${cpu}" is not above 0` };
  }
  const parsed = runConfig.safeParse(unchecked(input));
  if (parsed.success) return { config: parsed.data };
  const issues = parsed.error.issues.map((issue) => `spec.${issue.path.join('.')}: ${issue.message}`);
  return { problem: issues.join('; ') };
}

function unchecked({ job, runtime, stage, startTime, preflight, microBatch }: RunConfigInput): unknown {
  const { metadata, spec } = job;
  const { namespace, name, uid } = metadata;
  const { resourceName, whenUnusable } = runtime.accelerator;
  const gpus = stage === 'train' ? spec.resources.gpus : 0;
  return {
    contractVersion,
    job: { namespace, name, uid, runId: spec.runId, startTime },
    task: spec.task,
    ...(spec.problemType && { problemType: spec.problemType }),
    model: locationOf(spec, 'model'),
    dataset: datasetOf(spec),
    training: { ...trainingOf(spec), ...(microBatch && sizesOf(microBatch)) },
    evaluation: spec.evaluation,
    ...(spec.gate && { gate: gateOf(spec.gate) }),
    output: locationOf(spec, 'output'),
    checkpoints: spec.checkpoints,
    workBytes: quantityValue(runtime.workVolume),
    accelerator: { resourceName, whenUnusable, count: gpus },
    ...(stage === 'train' && preflight && { expected: expectedOf(preflight) }),
  };
}

/** The columns that the task reads: always the ones it needs, others where the job names them. */
function columnsOf(spec: FineTuneJobSpec) {
  const { columns } = spec.dataset;
  const kind = kinds[kindOf(spec)];
  const named = kind.optionalColumns.filter((role) => columns[role] !== undefined);
  return Object.fromEntries([...kind.columns, ...named].map((role) => [role, columns[role] ?? role]));
}

function datasetOf(spec: FineTuneJobSpec) {
  const { format, labels, slices, splits, fractions } = spec.dataset;
  return {
    source: locationOf(spec, 'dataset'),
    format,
    columns: columnsOf(spec),
    ...(labels && { labels }),
    ...(slices && { slices }),
    splits,
    fractions: numbersOf(fractions ?? {}),
  };
}

function sizesOf({ batchSize, gradientAccumulationSteps }: NonNullable<FineTuneJobStatus['microBatch']>) {
  return { batchSize, gradientAccumulationSteps };
}

function gateOf({ metric, slices, ...bounds }: NonNullable<FineTuneJobSpec['gate']>) {
  return { metric, ...numbersOf(bounds), ...(slices && { slices: numbersOf(slices) }) };
}

/** The decimals of an object as numbers; what is not set stays away. */
function numbersOf(decimals: Readonly<Record<string, string | undefined>>): Record<string, number> {
  const given = Object.entries(decimals).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, Number(value)]));
}

function expectedOf({ modelDigest, splits }: NonNullable<FineTuneJobStatus['preflight']>) {
  return {
    modelDigest,
    trainDigest: splits.train.digest,
    ...(splits.validation && { validationDigest: splits.validation.digest }),
    testDigest: splits.test.digest,
  };
}
