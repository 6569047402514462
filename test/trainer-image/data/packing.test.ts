/** How texts come into rows and rows into steps: with packing, and with a budget of tokens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokensIn } from '../../../trainer-image/data/batch.ts';
import {
  evaluationBatches,
  largestBatch,
  stepsPerEpoch,
  trainSteps,
} from '../../../trainer-image/data/batches.ts';
import type { EpochOrder } from '../../../trainer-image/data/epoch.ts';
import { bestFitDecreasing, piecesOf, wrapped } from '../../../trainer-image/data/packing.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { splitOf } from './split-of-lengths.ts';

const lengths = Array.from({ length: 211 }, (_, row) => 3 + ((row * 37) % 50));
const split = splitOf(lengths);
const { collate } = sequenceClassification;
const order: EpochOrder = {
  batchSize: 4,
  gradientAccumulationSteps: 2,
  maxLength: 64,
  trainSamplingStrategy: 'GroupByLength',
  packing: 'None',
  seed: 42,
  epoch: 0,
};
const ways: Record<string, Partial<EpochOrder>> = {
  BestFitDecreasing: { packing: 'BestFitDecreasing' },
  TokenBudget: { trainSamplingStrategy: 'TokenBudget' },
};
const stepsOf = (how: Partial<EpochOrder> & { skip?: number }) => [
  ...trainSteps(split, { ...order, ...how }, collate),
];
const rowsOf = (how: Partial<EpochOrder> & { skip?: number }) =>
  stepsOf(how).map((step) => step.flatMap(({ indices }) => [...indices]));

for (const [name, way] of Object.entries(ways)) {
  test(`${name}: an epoch holds every row once, and the next one has as many steps in another order`, () => {
    const all = Array.from(lengths.keys());
    const [first, second] = [rowsOf(way), rowsOf({ ...way, epoch: 1 })];
    for (const epoch of [first, second])
      assert.deepEqual(
        epoch.flat().sort((a, b) => a - b),
        all,
      );
    assert.equal(first.length, stepsPerEpoch(split, { ...order, ...way }));
    assert.equal(second.length, first.length);
    assert.notDeepEqual(second, first);
  });

  test(`${name}: the same seed and epoch give the same steps, also from the middle on`, () => {
    assert.deepEqual(stepsOf(way), stepsOf(way));
    assert.deepEqual(stepsOf({ ...way, skip: 2 }), stepsOf(way).slice(2));
    assert.notDeepEqual(rowsOf({ ...way, seed: 43 }), rowsOf(way));
  });

  test(`${name}: the rows of a step depend on batch size times accumulation alone`, () => {
    const whole = rowsOf({ ...way, batchSize: 8, gradientAccumulationSteps: 1 });
    for (const batchSize of [4, 2, 1])
      assert.deepEqual(rowsOf({ ...way, batchSize, gradientAccumulationSteps: 8 / batchSize }), whole);
    assert.ok(
      stepsOf({ ...way, batchSize: 8, gradientAccumulationSteps: 1 }).every((step) => step.length === 1),
    );
  });

  test(`${name}: little is padding, and the first batch takes the most memory`, () => {
    const batches = stepsOf(way).flat();
    const taken = batches.reduce((sum, batch) => sum + batch.inputIds.length, 0);
    const tokens = batches.reduce((sum, batch) => sum + tokensIn(batch), 0);
    assert.equal(tokens, split.ids.length);
    assert.ok(tokens > 0.9 * taken, `${tokens} of ${taken}`);
    const { rows, length } = largestBatch(split, { ...order, ...way });
    assert.ok(batches.every((batch) => batch.inputIds.length <= order.batchSize * order.maxLength));
    assert.equal(length, Math.max(...batches.map((batch) => batch.length)));
    assert.ok(rows * length > 0.8 * Math.max(...batches.map((batch) => batch.inputIds.length)));
  });
}

test('a packed row says of each token to which example it belongs and where in it', () => {
  for (const batch of stepsOf({ packing: 'BestFitDecreasing' }).flat()) {
    assert.ok(batch.length <= order.maxLength);
    let [row, number] = [-1, 0];
    for (const [index, example] of batch.indices.entries()) {
      const start = batch.starts[index]!;
      number = Math.floor(start / batch.length) === row ? number + 1 : 1;
      row = Math.floor(start / batch.length);
      const end = start + lengths[example]!;
      assert.ok(end <= (row + 1) * batch.length, 'an example lies in one row');
      assert.deepEqual([...batch.inputIds.subarray(start, end)], Array(end - start).fill(example + 1));
      assert.deepEqual([...batch.attentionMask.subarray(start, end)], Array(end - start).fill(number));
      assert.deepEqual([...batch.positionIds!.subarray(start, end)], [...Array(end - start).keys()]);
      assert.equal(batch.labels[index], example % 3);
    }
  }
});

test('best fit: a length goes where it leaves the least room', () => {
  const groups = (given: number[]) => [...bestFitDecreasing(Int32Array.from(given), 10).groupOf];
  assert.deepEqual(groups([7, 6, 5, 4, 3, 3, 2]), [0, 1, 2, 1, 0, 2, 2]);
  assert.deepEqual(groups([10, 10]), [0, 1]);
  assert.deepEqual(groups([5, 5, 5, 5]), [0, 0, 1, 1]);
  assert.deepEqual(groups([]), []);
});

test('Wrapped: the blocks are the concatenation of all texts, and the last one may be shorter', () => {
  const blocks = wrapped(split, 64);
  assert.equal(blocks.rows, Math.ceil(split.ids.length / 64));
  const task = maskedLM({ probability: 0.15, wholeWord: false });
  const how = { ...order, packing: 'Wrapped', maxLength: 64 } as const;
  const batches = [...trainSteps(split, how, task.collate)].flat();
  assert.equal(
    batches.reduce((sum, batch) => sum + tokensIn(batch), 0),
    split.ids.length,
  );
  const unmasked = new Map(
    batches.flatMap((batch) => {
      const ids = batch.inputIds.slice();
      for (const [index, place] of batch.positions!.entries()) ids[place] = batch.labels[index]!;
      return Array.from(batch.indices, (block, row) => {
        const own = ids.subarray(row * batch.length, (row + 1) * batch.length);
        return [block, [...own].filter((id) => id !== split.padTokenId)] as const;
      });
    }),
  );
  const joined = Array.from({ length: blocks.rows }, (_, block) => unmasked.get(block)!).flat();
  assert.deepEqual(joined, [...split.ids]);
});

test('an evaluation reads every text, in pieces where it is too long, and knows whose they are', () => {
  const { pieces, rowOf } = piecesOf(split, 20);
  assert.deepEqual([...new Set(rowOf)], Array.from(lengths.keys()));
  assert.equal(pieces.offsets[pieces.rows], split.ids.length);
  const seen = new Array<number>(split.rows).fill(0);
  for (const batch of evaluationBatches(split, { batchSize: 8, maxLength: 20 }, (rows) => ({
    ...rows,
    labels: new Int32Array(),
  }))) {
    assert.ok(batch.length <= 20);
    for (const [index, row] of batch.indices.entries()) {
      const own = batch.inputIds.subarray(batch.starts[index]!, batch.starts[index]! + batch.length);
      const ids = [...own].filter((id) => id !== split.padTokenId);
      assert.ok(ids.length > 0 && ids.every((id) => id === row + 1));
      seen[row]! += ids.length;
    }
  }
  assert.deepEqual(seen, lengths);
  assert.equal(piecesOf(split, 64).pieces, split);
});
