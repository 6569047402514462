import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { bootstrapGain, percentile } from '../../../trainer-image/metrics/bootstrap.ts';
import { classificationScores } from '../../../trainer-image/metrics/classification.ts';

type Case = {
  name: string;
  classes: number;
  actual: number[];
  predicted: number[];
  accuracy: number;
  f1: number;
  weightedF1: number;
  confusion: number[][];
  precision: number[];
  recall: number[];
  perClassF1: number[];
  support: number[];
};
type Golden = {
  cases: Case[];
  percentile: { sorted: number[]; fractions: number[]; values: number[] };
};

const golden = JSON.parse(
  await readFile(new URL('../../golden/metrics.json', import.meta.url), 'utf8'),
) as Golden;

function near(got: number, want: number, what: string): void {
  assert.ok(Math.abs(got - want) < 1e-12, `${what}: ${got} is not ${want}`);
}

for (const want of golden.cases) {
  test(`scores equal scikit-learn's: ${want.name}`, () => {
    const got = classificationScores(want.actual, want.predicted, want.classes);
    assert.deepEqual(got.confusion, want.confusion);
    near(got.accuracy, want.accuracy, 'accuracy');
    near(got.f1, want.f1, 'macro F1');
    near(got.weightedF1, want.weightedF1, 'weighted F1');
    for (const [id, scores] of got.classes.entries()) {
      near(scores.precision, want.precision[id]!, `precision of class ${id}`);
      near(scores.recall, want.recall[id]!, `recall of class ${id}`);
      near(scores.f1, want.perClassF1[id]!, `F1 of class ${id}`);
      assert.equal(scores.support, want.support[id]);
    }
  });
}

test('a prediction outside the classes is an error that names the row', () => {
  assert.throws(() => classificationScores([0, 1], [0, 2], 2), /row 1/);
  assert.throws(() => classificationScores([0, 1], [0], 2), /2 actual labels and 1 predictions/);
});

test("percentiles equal numpy's", () => {
  const { sorted, fractions, values } = golden.percentile;
  for (const [i, fraction] of fractions.entries())
    near(percentile(sorted, fraction), values[i]!, `${fraction}`);
});

const rows = 400;
const actual = Array.from({ length: rows }, (_, row) => row % 2);
const wrongEvery = (n: number) => actual.map((label, row) => (row % n === 0 ? 1 - label : label));
const accuracyOf = (predicted: number[]) => (drawn: ArrayLike<number>) =>
  Array.from(drawn).filter((row) => predicted[row] === actual[row]).length / drawn.length;
const models = { base: accuracyOf(wrongEvery(3)), tuned: accuracyOf(wrongEvery(20)), rows };

test('the interval of a clear gain holds the gain, leaves zero out and repeats with its seed', () => {
  const gain = bootstrapGain('accuracy', { ...models, seed: 42 });
  near(gain.value, 134 / 400 - 20 / 400, 'gain');
  assert.ok(gain.low > 0.2 && gain.low < gain.value && gain.value < gain.high && gain.high < 0.37);
  assert.deepEqual(bootstrapGain('accuracy', { ...models, seed: 42 }), gain);
  assert.notDeepEqual(bootstrapGain('accuracy', { ...models, seed: 43 }), gain);
});

test('the width of the interval is that of the normal approximation', () => {
  const gain = bootstrapGain('accuracy', { ...models, seed: 1 });
  // Rows differ by +1 (base wrong only) or -1 (tuned wrong only); 7 rows are wrong for both.
  const [up, down] = [127 / 400, 13 / 400];
  const deviation = Math.sqrt((up + down - (up - down) ** 2) / rows);
  assert.ok(Math.abs((gain.high - gain.low) / (2 * 1.96 * deviation) - 1) < 0.15);
});

test('two equal models gain nothing, exactly', () => {
  const gain = bootstrapGain('f1', { ...models, tuned: models.base, seed: 3 });
  assert.deepEqual(gain, { metric: 'f1', value: 0, low: 0, high: 0 });
});

test('where less is better, less is a gain', () => {
  const errorOf = (scorer: typeof models.base) => (drawn: ArrayLike<number>) => 1 - scorer(drawn);
  const more = bootstrapGain('accuracy', { ...models, seed: 5 });
  const less = bootstrapGain('loss', {
    base: errorOf(models.base),
    tuned: errorOf(models.tuned),
    rows,
    seed: 5,
  });
  for (const end of ['value', 'low', 'high'] as const) near(less[end], more[end], end);
});
