/** Which rows are computed together: the order of an epoch, and how it is cut into steps. */
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { type EncodedSplit, tokensOf } from './encoded.ts';
import { bestFitDecreasing, type Groups } from './packing.ts';
import { purposes, type Random, random, shuffle } from './random.ts';

/** Batches whose rows are sorted together by length: more saves padding, fewer keeps the order random. */
const batchesSortedTogether = 50;

export type StepPlan = Pick<
  RunConfig['training'],
  'batchSize' | 'gradientAccumulationSteps' | 'maxLength' | 'packing' | 'trainSamplingStrategy'
>;

export type EpochOrder = StepPlan & {
  seed: number;
  /** From 0; each epoch has an order of its own. */
  epoch: number;
};

/**
 * What an epoch computes. Step s has the sequences steps[s] to steps[s + 1]; sequence q is one row of a batch and has the
 * rows of the split at the places sequences[q] to sequences[q + 1] of `rows`.
 */
export type Epoch = { rows: Int32Array; sequences: Int32Array; steps: Int32Array };

/**
 * Every row once; the same arguments give the same epoch, and all epochs have equally many steps. What a step holds
 * depends only on the product of batch size and accumulation. The longest rows come first, so that memory shows at once
 * whether it is enough.
 */
export function planEpoch(split: EncodedSplit, order: EpochOrder): Epoch {
  const { batchSize, gradientAccumulationSteps, maxLength } = order;
  const stepSize = batchSize * gradientAccumulationSteps;
  const source = random(order.seed, purposes.order, order.epoch);
  const permutation = shuffle(numbersBelow(split.rows), source);
  const lengthOf = (row: number): number => tokensOf(split, row);
  const alone = numbersBelow(split.rows + 1);
  if (order.packing === 'BestFitDecreasing') {
    const rows = longestFirst(permutation, lengthOf);
    const lengths = rows.map(lengthOf);
    const groups = bestFitDecreasing(lengths, maxLength);
    const packed = grouped(rows, groups, { first: fullest(lengths, groups), source });
    return {
      rows: packed.rows,
      sequences: packed.starts,
      steps: everyNth(packed.starts.length - 1, stepSize),
    };
  }
  if (order.packing === 'None' && order.trainSamplingStrategy === 'TokenBudget') {
    const rows = longestFirst(permutation, lengthOf);
    const groups = withinBudget(rows.map(lengthOf), stepSize * maxLength);
    const steps = grouped(rows, groups, { first: 0, source });
    return { rows: steps.rows, sequences: alone, steps: steps.starts };
  }
  const rows = groupByLength(permutation, lengthOf, stepSize);
  return { rows, sequences: alone, steps: everyNth(split.rows, stepSize) };
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
    rows.set(longestFirst(rows.slice(start, start + size), lengthOf), start);
    if (lengthOf(rows[start] as number) > lengthOf(rows[longest] as number)) longest = start;
  }
  return swapped(rows, 0, longest);
}

/**
 * Cuts rows into groups that take at most `budget` tokens each, padding included, or have one row.
 * @param lengths the longest first.
 */
function withinBudget(lengths: Int32Array, budget: number): Groups {
  const groupOf = new Int32Array(lengths.length);
  let count = 0;
  for (let start = 0; start < lengths.length; count++) {
    const end = start + rowsWithin(budget, lengths[start] as number);
    groupOf.fill(count, start, end);
    start = end;
  }
  return { groupOf, count };
}

/** Rows of the batches into which a step is cut; where tokens count, its first row is the longest and has `length`. */
export function batchRows(
  { batchSize, maxLength, packing, trainSamplingStrategy }: StepPlan,
  length: number,
): number {
  if (packing !== 'None' || trainSamplingStrategy !== 'TokenBudget') return batchSize;
  return rowsWithin(batchSize * maxLength, length);
}

/** Rows that a budget of tokens allows when the longest of them has `length`. */
function rowsWithin(budget: number, length: number): number {
  return Math.max(1, Math.floor(budget / Math.max(1, length)));
}

/** The group with the most tokens. */
function fullest(lengths: Int32Array, { groupOf, count }: Groups): number {
  const tokens = new Int32Array(count);
  for (const [index, group] of groupOf.entries())
    tokens[group] = (tokens[group] as number) + (lengths[index] as number);
  return tokens.indexOf(tokens.reduce((most, sum) => Math.max(most, sum), 0));
}

/** The rows of each group side by side, the groups in random order but for the first one. */
function grouped(
  rows: Int32Array,
  { groupOf, count }: Groups,
  { first, source }: { first: number; source: Random },
): { rows: Int32Array; starts: Int32Array } {
  const order = shuffle(numbersBelow(count), source);
  swapped(order, 0, order.indexOf(first));
  const placeOf = new Int32Array(count);
  for (const [place, group] of order.entries()) placeOf[group] = place;
  const starts = new Int32Array(count + 1);
  for (const group of groupOf) (starts[(placeOf[group] as number) + 1] as number)++;
  for (let place = 0; place < count; place++)
    starts[place + 1] = (starts[place + 1] as number) + (starts[place] as number);
  const next = starts.slice();
  const sorted = new Int32Array(rows.length);
  for (const [index, row] of rows.entries()) {
    const place = placeOf[groupOf[index] as number] as number;
    sorted[next[place] as number] = row;
    next[place] = (next[place] as number) + 1;
  }
  return { rows: sorted, starts };
}

/** Longest first; rows of equal length keep their order. */
function longestFirst(rows: Int32Array, lengthOf: (row: number) => number): Int32Array {
  return rows.slice().sort((a, b) => lengthOf(b) - lengthOf(a));
}

/** The places at which every n-th begins, and the end. */
function everyNth(count: number, n: number): Int32Array {
  return Int32Array.from({ length: Math.ceil(count / n) + 1 }, (_, index) => Math.min(count, index * n));
}

function numbersBelow(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => index);
}

/** Exchanges two elements, in place. */
function swapped(numbers: Int32Array, a: number, b: number): Int32Array {
  const kept = numbers[a];
  if (kept === undefined) return numbers;
  numbers[a] = numbers[b] as number;
  numbers[b] = kept;
  return numbers;
}
