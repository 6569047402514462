import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { countLabelSets, labelSetScores, scoresOfLabel } from '../../../trainer-image/metrics/multi-label.ts';
import { ranks, regressionScores } from '../../../trainer-image/metrics/regression.ts';

type LabelSets = {
  name: string;
  labels: number;
  actual: number[][];
  predicted: number[][];
  accuracy: number;
  microF1: number;
  f1: number;
  precision: number[];
  recall: number[];
  perLabelF1: number[];
  support: number[];
};
type Numbers = {
  name: string;
  actual: number[];
  predicted: number[];
  pearson: number;
  spearman: number;
  rmse: number;
};
const golden = JSON.parse(await readFile(new URL('../../golden/metrics.json', import.meta.url), 'utf8')) as {
  labelSets: LabelSets[];
  numbers: Numbers[];
};

function near(got: number, want: number, what: string): void {
  assert.ok(Math.abs(got - want) < 1e-9, `${what}: ${got} is not ${want}`);
}

for (const want of golden.labelSets) {
  test(`scores of sets of labels equal scikit-learn's: ${want.name}`, () => {
    const rows = [...want.actual.keys()];
    const counts = countLabelSets(want.actual.flat(), want.predicted.flat(), { labels: want.labels, rows });
    const got = labelSetScores(counts);
    near(got.accuracy, want.accuracy, 'exact accuracy');
    near(got.microF1, want.microF1, 'micro F1');
    near(got.f1, want.f1, 'macro F1');
    for (let label = 0; label < want.labels; label++) {
      const scores = scoresOfLabel(counts, label);
      near(scores.precision, want.precision[label]!, `precision of ${label}`);
      near(scores.recall, want.recall[label]!, `recall of ${label}`);
      near(scores.f1, want.perLabelF1[label]!, `F1 of ${label}`);
      assert.equal(scores.support, want.support[label]);
    }
  });
}

for (const want of golden.numbers) {
  test(`scores of numbers equal scipy's: ${want.name}`, () => {
    const got = regressionScores(want.actual, want.predicted);
    near(got.pearson, want.pearson, 'Pearson');
    near(got.spearman, want.spearman, 'Spearman');
    near(got.rmse, want.rmse, 'RMSE');
  });
}

test('equal values share their rank, and constant numbers correlate with nothing', () => {
  assert.deepEqual([...ranks([3, 1, 3, 2])], [3.5, 1, 3.5, 2]);
  assert.deepEqual(regressionScores([1, 2, 3], [2, 2, 2]).pearson, 0);
});
