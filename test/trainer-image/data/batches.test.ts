import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import {
  evaluationBatches,
  stepsPerEpoch,
  totalSteps,
  trainSteps,
} from '../../../trainer-image/data/batches.ts';
import { type EncodedSplit, labelsOf, selectRows } from '../../../trainer-image/data/encoded.ts';
import { type EpochOrder, groupByLength } from '../../../trainer-image/data/epoch.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { scratchFolder } from './scratch.ts';
import { splitOf } from './split-of-lengths.ts';

const lengths = Array.from({ length: 101 }, (_, row) => 3 + ((row * 37) % 50));
const split = splitOf(lengths);
const { collate } = sequenceClassification;
const order: EpochOrder = {
  batchSize: 8,
  gradientAccumulationSteps: 1,
  maxLength: 64,
  trainSamplingStrategy: 'GroupByLength',
  packing: 'None',
  seed: 42,
  epoch: 0,
};
/** The batches of an epoch whose steps have one each. */
const trainBatches = (from: EncodedSplit, how: EpochOrder & { skip?: number }): Batch[] =>
  [...trainSteps(from, how, collate)].flat();

test('an epoch holds every row once; the last batch may be smaller', () => {
  const batches = [...trainBatches(split, order)];
  assert.equal(batches.length, stepsPerEpoch(split, order));
  assert.equal(batches.at(-1)?.rows, 5);
  const rows = batches.flatMap((batch) => [...batch.indices]).sort((a, b) => a - b);
  assert.deepEqual(rows, [...lengths.keys()]);
});

test('a batch is padded to its longest row and masked', () => {
  for (const batch of [...trainBatches(split, order), ...evaluationBatches(split, order, collate)]) {
    const own = [...batch.indices].map((row) => lengths[row] as number);
    assert.equal(batch.length, Math.max(...own));
    assert.equal(batch.inputIds.length, batch.rows * batch.length);
    for (const [position, row] of batch.indices.entries()) {
      const part = batch.inputIds.subarray(position * batch.length, (position + 1) * batch.length);
      const mask = batch.attentionMask.subarray(position * batch.length, (position + 1) * batch.length);
      const real = lengths[row] as number;
      assert.ok(part.every((id, place) => id === (place < real ? row + 1 : 999)));
      assert.ok(mask.every((bit, place) => bit === (place < real ? 1 : 0)));
      assert.equal(batch.labels[position], row % 3);
    }
  }
});

test('the same seed and epoch give the same batches; skip goes on in the middle', () => {
  const whole = [...trainBatches(split, order)];
  assert.deepEqual([...trainBatches(split, order)], whole);
  assert.deepEqual([...trainBatches(split, { ...order, skip: 5 })], whole.slice(5));
  assert.deepEqual([...trainBatches(split, { ...order, skip: 13 })], []);
  const other = [...trainBatches(split, { ...order, epoch: 1 })];
  assert.notDeepEqual(other, whole);
  assert.notDeepEqual([...trainBatches(split, { ...order, seed: 43 })], whole);
});

test('length grouping saves padding', () => {
  const many = splitOf(Array.from({ length: 2000 }, (_, row) => 3 + ((row * 7919) % 120)));
  const padded = [...trainBatches(many, { ...order, batchSize: 16 })].reduce(
    (sum, batch) => sum + batch.inputIds.length,
    0,
  );
  assert.ok(padded < 1.12 * many.ids.length, `${padded / many.ids.length}`);
});

test('rows are grouped as transformers groups them', () => {
  type Case = { batchSize: number; lengths: number[]; permutation: number[]; want: number[] };
  const golden = JSON.parse(
    readFileSync(new URL('../../golden/length-groups.json', import.meta.url), 'utf8'),
  ) as Case[];
  assert.equal(golden.length, 5);
  for (const { batchSize, lengths, permutation, want } of golden) {
    const got = groupByLength(Int32Array.from(permutation), (row) => lengths[row] as number, batchSize);
    assert.deepEqual([...got], want);
  }
});

test('evaluation goes from the longest batch to the shortest, every row once', () => {
  const batches = [...evaluationBatches(split, { ...order, batchSize: 16 }, collate)];
  const sizes = batches.map((batch) => batch.length);
  assert.deepEqual(
    sizes,
    sizes.toSorted((a, b) => b - a),
  );
  const rows = batches.flatMap((batch) => [...batch.indices]).sort((a, b) => a - b);
  assert.deepEqual(rows, [...lengths.keys()]);
});

test('steps are counted as transformers counts them', () => {
  const plan = (batchSize: number, gradientAccumulationSteps = 1) => ({
    ...order,
    batchSize,
    gradientAccumulationSteps,
  });
  const of = (rows: number) => splitOf(new Array<number>(rows).fill(5));
  assert.equal(stepsPerEpoch(of(101), plan(8)), 13);
  assert.equal(stepsPerEpoch(of(104), plan(8)), 13);
  assert.equal(stepsPerEpoch(of(101), plan(8, 4)), 4);
  assert.equal(totalSteps(of(101), { ...plan(8), epochs: 3 }), 39);
  assert.equal(totalSteps(of(101), { ...plan(8), epochs: 0.5 }), 7);
  assert.equal(totalSteps(of(101), { ...plan(8, 4), epochs: 0.5 }), 2);
  assert.equal(totalSteps(of(1), { ...plan(8), epochs: 1 }), 1);
});

test('the rows of a step depend on their number alone, not on how they are cut into batches', () => {
  const rowsOf = (batchSize: number, gradientAccumulationSteps: number, skip = 0) =>
    [...trainSteps(split, { ...order, batchSize, gradientAccumulationSteps, skip }, collate)].map((step) =>
      step.flatMap((batch) => [...batch.indices]),
    );
  const whole = rowsOf(16, 1);
  assert.deepEqual(rowsOf(8, 2), whole);
  assert.deepEqual(rowsOf(2, 8), whole);
  assert.deepEqual(rowsOf(4, 4, 3), whole.slice(3));
  const last = [...trainSteps(split, { ...order, batchSize: 2, gradientAccumulationSteps: 8 }, collate)].at(
    -1,
  );
  assert.deepEqual(
    last?.map(({ rows }) => rows),
    [2, 2, 1],
  );
});

test('selected rows keep their tokens and get a digest of their own', () => {
  const picked = selectRows(split, Int32Array.from([5, 2]), scratchFolder());
  assert.deepEqual(
    picked.offsets,
    Float64Array.from([0, lengths[5] ?? 0, (lengths[5] ?? 0) + (lengths[2] ?? 0)]),
  );
  assert.deepEqual(new Set(picked.ids), new Set([6, 3]));
  assert.deepEqual(picked.lines.slice(), Int32Array.from([6, 3]));
  const keyOf = (of: EncodedSplit, row: number) => [...of.textKeys.slice(2 * row, 2 * row + 2)];
  assert.deepEqual([keyOf(picked, 0), keyOf(picked, 1)], [keyOf(split, 5), keyOf(split, 2)]);
  assert.deepEqual([labelsOf(picked, 0), labelsOf(picked, 1)], [labelsOf(split, 5), labelsOf(split, 2)]);
  assert.notEqual(picked.digest, selectRows(split, Int32Array.from([2, 5]), scratchFolder()).digest);
  assert.equal(selectRows(split, Int32Array.from(lengths.keys()), scratchFolder()).digest, split.digest);
});
