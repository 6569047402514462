import { type Batch, type PaddedRows, padRows } from './batch.ts';
import { type EncodedSplit, tokensOf } from './encoded.ts';
import { purposes, random, shuffle } from './random.ts';

/** Batches whose rows are sorted together by length: more saves padding, fewer keeps the order random. */
const batchesSortedTogether = 50;

export type StepPlan = {
  batchSize: number;
  /** Batches of one optimiser step. */
  gradientAccumulationSteps: number;
};

export type TrainOrder = StepPlan & {
  seed: number;
  /** From 0; each epoch has an order of its own. */
  epoch: number;
  /** Batches of this epoch that were used before an interruption. */
  skip?: number;
};

/** Adds to padded rows what the loss compares with; random choices hang on seed and epoch, without them they are fixed. */
export type Collate = (
  rows: PaddedRows,
  split: EncodedSplit,
  draw?: { seed: number; epoch: number },
) => Batch;

/**
 * Batches of one epoch. The same arguments give the same batches; the last one may be smaller. Rows are ordered by whole
 * steps, as transformers does: which rows a step has depends only on the product of batch size and accumulation.
 */
export function* trainBatches(split: EncodedSplit, order: TrainOrder, collate: Collate): Generator<Batch> {
  const { batchSize, gradientAccumulationSteps, seed, epoch, skip = 0 } = order;
  const permutation = Int32Array.from({ length: split.rows }, (_, row) => row);
  shuffle(permutation, random(seed, purposes.order, epoch));
  const rows = groupByLength(
    permutation,
    (row) => tokensOf(split, row),
    batchSize * gradientAccumulationSteps,
  );
  for (let start = skip * batchSize; start < rows.length; start += batchSize)
    yield collate(padRows(split, rows.slice(start, start + batchSize)), split, { seed, epoch });
}

/** The batches of each optimiser step; the last step of an epoch may have fewer. `skip` counts steps. */
export function* trainSteps(split: EncodedSplit, order: TrainOrder, collate: Collate): Generator<Batch[]> {
  const { gradientAccumulationSteps, skip = 0 } = order;
  const fromStep = { ...order, skip: skip * gradientAccumulationSteps };
  let step: Batch[] = [];
  for (const batch of trainBatches(split, fromStep, collate)) {
    step.push(batch);
    if (step.length < gradientAccumulationSteps) continue;
    yield step;
    step = [];
  }
  if (step.length > 0) yield step;
}

/** All rows once, the longest first, so that memory shows at once whether it is enough. */
export function* evaluationBatches(
  split: EncodedSplit,
  batchSize: number,
  collate: Collate,
): Generator<Batch> {
  const rows = Int32Array.from({ length: split.rows }, (_, row) => row);
  rows.sort((a, b) => tokensOf(split, b) - tokensOf(split, a) || a - b);
  for (let start = 0; start < rows.length; start += batchSize)
    yield collate(padRows(split, rows.slice(start, start + batchSize)), split);
}

/**
 * The order of Hugging Face's group_by_length sampling: a random order cut into mega-batches, each sorted by length,
 * longest first; the longest row of all comes first in the epoch.
 */
export function groupByLength(
  permutation: Int32Array,
  lengthOf: (row: number) => number,
  batchSize: number,
): Int32Array {
  const batches = Math.min(Math.floor(permutation.length / (batchSize * 4)), batchesSortedTogether);
  const size = Math.max(1, batches) * batchSize;
  const rows = permutation.slice();
  let longest = 0;
  for (let start = 0; start < rows.length; start += size) {
    rows.subarray(start, start + size).set(sortByLength(rows.slice(start, start + size), lengthOf));
    if (lengthOf(rows[start] as number) > lengthOf(rows[longest] as number)) longest = start;
  }
  const first = rows[0];
  if (first !== undefined) {
    rows[0] = rows[longest] as number;
    rows[longest] = first;
  }
  return rows;
}

/** Longest first; rows of equal length keep their random order. */
function sortByLength(rows: Int32Array, lengthOf: (row: number) => number): number[] {
  return Array.from(rows).sort((a, b) => lengthOf(b) - lengthOf(a));
}

/** Optimiser steps in which every row is used once. */
export function stepsPerEpoch(rows: number, plan: StepPlan): number {
  return Math.ceil(rows / (plan.batchSize * plan.gradientAccumulationSteps));
}

/** Steps of a run, as transformers counts them for whole and for broken numbers of epochs. */
export function totalSteps(rows: number, plan: StepPlan & { epochs: number }): number {
  return Math.ceil(plan.epochs * stepsPerEpoch(rows, plan));
}
