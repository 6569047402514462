/**
 * Micro-batches that get smaller when the trainer runs out of memory. The rows of a step stay the same, and so do its
 * gradients, the order of the rows and the checkpoints: the run goes on where it was.
 */
import type { FineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import type { Run } from './run.ts';

export type MicroBatch = NonNullable<FineTuneJobStatus['microBatch']>;

/** What the next train Job uses in place of the spec: a Job that ran out of memory makes it smaller once. */
export function microBatchOf({ remembered, train, job }: Run): MicroBatch | undefined {
  const known = remembered.microBatch;
  const { state } = train;
  const jobUID = train.job?.metadata?.uid;
  const ranOut = state.at === 'failed' && state.fault.retry === 'smaller';
  if (!ranOut || jobUID === undefined || known?.jobUID === jobUID) return known;
  return smaller(known, job.spec, jobUID) ?? known;
}

/** The batches with which the train Job is made again that ran out of memory; undefined = it did not, or no try is left. */
export function smallerBatches(run: Run): MicroBatch | undefined {
  const { state, job } = run.train;
  const next = microBatchOf(run);
  const ranOut = state.at === 'failed' && state.fault.retry === 'smaller';
  return ranOut && next?.jobUID === job?.metadata?.uid ? next : undefined;
}

/** The largest batch of at most half the size that divides the rows of a step; undefined = there is none, or no try left. */
function smaller(
  known: MicroBatch | undefined,
  { training, retry }: FineTuneJobSpec,
  jobUID: string,
): MicroBatch | undefined {
  const { batchSize, gradientAccumulationSteps, retries } = known ?? { ...training, retries: 0 };
  if (retries >= retry.outOfMemoryLimit) return undefined;
  const rows = batchSize * gradientAccumulationSteps;
  for (let size = Math.floor(batchSize / 2); size >= 1; size--) {
    if (rows % size !== 0) continue;
    return { batchSize: size, gradientAccumulationSteps: rows / size, retries: retries + 1, jobUID };
  }
  return undefined;
}
