import { type Batch, type PaddedRows, packRows, padRows } from './batch.ts';
import { type EncodedSplit, tokensOf } from './encoded.ts';
import { batchRows, type Epoch, type EpochOrder, planEpoch, type StepPlan } from './epoch.ts';
import { piecesOf, wrapped } from './packing.ts';

/** Adds to padded rows what the loss compares with; random choices hang on seed and epoch, without them they are fixed. */
export type Collate = (
  rows: PaddedRows,
  split: EncodedSplit,
  draw?: { seed: number; epoch: number },
) => Batch;

/** The batches of each optimiser step of an epoch. `skip`: steps that were done before an interruption. */
export function* trainSteps(
  split: EncodedSplit,
  order: EpochOrder & { skip?: number },
  collate: Collate,
): Generator<Batch[]> {
  const source = rowsToTrain(split, order);
  const epoch = planEpoch(source, order);
  for (let step = order.skip ?? 0; step < epoch.steps.length - 1; step++) {
    yield Array.from(batchesOf(epoch, step, source, order), (rows) =>
      collate(rows, source, { seed: order.seed, epoch: order.epoch }),
    );
  }
}

function* batchesOf(
  { rows, sequences, steps }: Epoch,
  step: number,
  split: EncodedSplit,
  plan: StepPlan,
): Generator<PaddedRows> {
  const end = steps[step + 1] as number;
  let start = steps[step] as number;
  const first = rows[sequences[start] as number] as number;
  const size = batchRows(plan, tokensOf(split, first));
  for (; start < end; start += size) {
    const own = sequences.subarray(start, Math.min(start + size, end) + 1);
    if (plan.packing === 'BestFitDecreasing') yield packRows(split, rows, own);
    else yield padRows(split, rows.slice(own[0], own.at(-1)));
  }
}

/** What is put into batches: texts, or the blocks of their concatenation. */
function rowsToTrain(split: EncodedSplit, { packing, maxLength }: StepPlan): EncodedSplit {
  return packing === 'Wrapped' ? wrapped(split, maxLength) : split;
}

/** Batches of an evaluation with the row of the split that each of their rows is, or is a part of. */
export function* evaluationBatches(
  split: EncodedSplit,
  { batchSize, maxLength }: Pick<StepPlan, 'batchSize' | 'maxLength'>,
  collate: Collate,
): Generator<Batch> {
  const { pieces, rowOf } = piecesOf(split, maxLength);
  const order = Int32Array.from(rowOf.keys());
  // The longest first, so that memory shows at once whether it is enough.
  order.sort((a, b) => tokensOf(pieces, b) - tokensOf(pieces, a) || a - b);
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = collate(padRows(pieces, order.slice(start, start + batchSize)), pieces);
    yield { ...batch, indices: batch.indices.map((piece) => rowOf[piece] as number) };
  }
}

/** Rows and length of the batch that takes the most memory. */
export function largestBatch(split: EncodedSplit, plan: StepPlan): { rows: number; length: number } {
  const source = rowsToTrain(split, plan);
  const epoch = planEpoch(source, { ...plan, seed: 0, epoch: 0 });
  const [batch] = batchesOf(epoch, 0, source, plan);
  return { rows: batch?.rows ?? 0, length: batch?.length ?? 0 };
}

/** Optimiser steps in which every row is used once. */
export function stepsPerEpoch(split: EncodedSplit, plan: StepPlan): number {
  return planEpoch(rowsToTrain(split, plan), { ...plan, seed: 0, epoch: 0 }).steps.length - 1;
}

/** Steps of a run, as transformers counts them for whole and for broken numbers of epochs. */
export function totalSteps(split: EncodedSplit, plan: StepPlan & { epochs: number }): number {
  return Math.ceil(plan.epochs * stepsPerEpoch(split, plan));
}
