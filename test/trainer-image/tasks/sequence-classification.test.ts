import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import type { EncodedSplit } from '../../../trainer-image/data/encoded.ts';
import { evaluate, type Predictor } from '../../../trainer-image/evaluate.ts';
import { StopRequested } from '../../../trainer-image/run/context.ts';
import { balancedWeights } from '../../../trainer-image/tasks/class-weights.ts';
import { sequenceClassification as task } from '../../../trainer-image/tasks/sequence-classification.ts';
import {
  negativeLogLikelihood,
  predictedClass,
  probabilities,
} from '../../../trainer-image/tasks/softmax.ts';

type Golden = {
  probabilities: {
    logits: number[];
    classes: number;
    labels: number[];
    predicted: number[];
    confidence: number[];
    loss: number;
  };
};
const file = new URL('../../golden/metrics.json', import.meta.url);
const golden = (JSON.parse(await readFile(file, 'utf8')) as Golden).probabilities;
const { classes } = golden;
const names = Array.from({ length: classes }, (_, id) => `label ${id}`);
const logits = Float32Array.from(golden.logits);
const logitsOf = (row: number) => logits.subarray(row * classes, (row + 1) * classes);

test("classes and probabilities equal numpy's", () => {
  assert.deepEqual(
    golden.predicted.map((_, row) => predictedClass(logitsOf(row))),
    golden.predicted,
  );
  for (const [row, want] of golden.confidence.entries()) {
    const got = Math.max(...probabilities(logitsOf(row)));
    assert.ok(Math.abs(got - want) < 1e-6, `row ${row}: ${got} is not ${want}`);
  }
});

test('equal logits give the first class, and huge ones no infinity', () => {
  assert.equal(predictedClass(Float32Array.of(1, 1, 0)), 0);
  assert.deepEqual(probabilities(Float32Array.of(1000, -1000)), [1, 0]);
  assert.equal(negativeLogLikelihood(Float32Array.of(1000, -1000), 1), 2000);
});

/** Rows of growing length, so that evaluation, which takes the longest first, sees them in another order. */
const rows = golden.labels.length;
const split = {
  rows,
  ids: new Int32Array((rows * (rows + 1)) / 2),
  typeIds: new Uint8Array((rows * (rows + 1)) / 2),
  offsets: Int32Array.from({ length: rows + 1 }, (_, row) => (row * (row + 1)) / 2),
  labels: Int32Array.from(golden.labels),
  labelOffsets: Int32Array.from({ length: rows + 1 }, (_, row) => row),
  padTokenId: 0,
} as unknown as EncodedSplit;

/** Knows the logits of each row, as a model would compute them. */
const oracle: Predictor = {
  predict({ rows: count, indices, labels }: Batch) {
    const out = new Float32Array(count * classes);
    let lossSum = 0;
    for (const [position, row] of indices.entries()) {
      out.set(logitsOf(row), position * classes);
      lossSum -= Math.log(probabilities(logitsOf(row))[labels[position]!]!);
    }
    return { outputs: [out], lossSum, count };
  },
};

test('evaluation puts the rows back into the order of the split and averages the loss over rows, not batches', () => {
  const got = evaluate(oracle, split, {
    task,
    labels: names,
    batchSize: 5,
    maxLength: 512,
    stopRequested: () => false,
  });
  assert.deepEqual([...(got.figures['predicted'] as Int32Array)], golden.predicted);
  assert.deepEqual(got.figures['logits'], logits);
  assert.ok(Math.abs(got.loss - golden.loss) < 1e-6, `${got.loss} is not ${golden.loss}`);
  const evaluation = { evaluated: got, split, labels: names };
  const scores = task.scores(evaluation);
  assert.equal(scores.rows, rows);
  const all = Array.from({ length: rows }, (_, row) => row);
  for (const metric of ['accuracy', 'f1', 'weightedF1', 'ece', 'loss'] as const) {
    const resampled = task.scorer(evaluation, metric)(all);
    assert.ok(Math.abs(resampled - (scores[metric] as number)) < 1e-6, `${metric} ${resampled}`);
  }
});

test('evaluation ends between two batches when the pod has to stop', () => {
  let batches = 0;
  const options = { task, labels: names, batchSize: 5, maxLength: 512, stopRequested: () => batches++ === 2 };
  assert.throws(() => evaluate(oracle, split, options), StopRequested);
  assert.equal(batches, 3);
});

test("balanced weights are scikit-learn's: compute_class_weight('balanced')", () => {
  const labels = Int32Array.from([0, 0, 0, 0, 0, 0, 2, 2, 2, 3]);
  const skewed = { rows: 10, labels } as unknown as EncodedSplit;
  // Of the labels that occur: 10 / (3 * [6, 3, 1]).
  const want = [10 / 18, 0, 10 / 9, 10 / 3];
  assert.deepEqual(balancedWeights(skewed, 4), want);
});
