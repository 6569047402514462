import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawSplits } from '../../../trainer-image/data/split.ts';

/** Rows 0..n-1 with the given number of rows for each label, mixed. */
function labelsOf(...counts: number[]): Int32Array {
  const labels = counts.flatMap((count, label) => new Array<number>(count).fill(label));
  return Int32Array.from(labels.map((_, row) => labels[(row * 7919) % labels.length] as number));
}
const tally = (labels: Int32Array, rows: Int32Array | undefined, count: number) =>
  Array.from({ length: count }, (_, label) => (rows ?? []).filter((row) => labels[row] === label).length);

test('each label is held out in proportion, as scikit-learn rounds it', () => {
  const labels = labelsOf(900, 90, 10);
  const { train, validation, test } = drawSplits(labels, 3, { validation: 0.1, test: 0.2 }, 42);
  assert.deepEqual(tally(labels, test, 3), [180, 18, 2]);
  assert.deepEqual(tally(labels, validation, 3), [90, 9, 1]);
  assert.deepEqual(tally(labels, train, 3), [630, 63, 7]);
});

test('the parts are disjoint, complete and in the order of the file', () => {
  const labels = labelsOf(57, 31, 12);
  const { train, validation, test } = drawSplits(labels, 3, { validation: 0.15, test: 0.25 }, 1);
  assert.equal(test?.length, 25);
  assert.equal(validation?.length, 15);
  const all = [...train, ...(validation ?? []), ...(test ?? [])];
  assert.deepEqual(
    all.sort((a, b) => a - b),
    [...labels.keys()],
  );
  for (const part of [train, validation, test]) assert.deepEqual(part, part?.slice().sort());
});

test('the same seed draws the same rows, another seed others', () => {
  const labels = labelsOf(50, 50);
  const draw = (seed: number) => drawSplits(labels, 2, { test: 0.3 }, seed).test?.join();
  assert.equal(draw(5), draw(5));
  assert.notEqual(draw(5), draw(6));
});

test('the last row of a label stays in train', () => {
  const labels = labelsOf(20, 1, 1);
  for (let seed = 0; seed < 20; seed++) {
    const { train } = drawSplits(labels, 3, { validation: 0.3, test: 0.6 }, seed);
    assert.ok(tally(labels, train, 3).every((rows) => rows >= 1));
  }
});

test('a fraction of nearly everything still leaves one row of each label', () => {
  const { train, test } = drawSplits(labelsOf(2, 2), 2, { test: 0.9 }, 1);
  assert.deepEqual([train.length, test?.length], [2, 2]);
});

test('the largest remainder gets the odd row', () => {
  const labels = labelsOf(8, 2);
  for (let seed = 0; seed < 20; seed++)
    assert.deepEqual(tally(labels, drawSplits(labels, 2, { test: 0.3 }, seed).test, 2), [2, 1]);
});

test('many small labels still fill the fraction', () => {
  const labels = labelsOf(...new Array<number>(50).fill(3));
  const { test } = drawSplits(labels, 50, { test: 0.1 }, 3);
  assert.equal(test?.length, 15);
});

test('fractions that leave nothing are refused', () => {
  assert.throws(() => drawSplits(labelsOf(5, 5), 2, { validation: 0.5, test: 0.5 }, 1), {
    category: 'ConfigError',
    message: /take 1 of the train file/,
  });
  assert.throws(() => drawSplits(labelsOf(5, 5), 2, { test: 0 }, 1), {
    category: 'DataError',
    message: 'dataset.fractions.test of 0 takes no row out of 10.',
  });
  assert.throws(() => drawSplits(labelsOf(1, 1, 1), 3, { test: 0.5 }, 1), {
    category: 'DataError',
    hint: /last row of each label stays in train/,
  });
});

test('without fractions all rows stay in train', () => {
  const drawn = drawSplits(labelsOf(3, 2), 2, {}, 1);
  assert.deepEqual(drawn, { train: Int32Array.from([0, 1, 2, 3, 4]) });
});
