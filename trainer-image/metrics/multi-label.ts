/** Scores where a row has any number of labels, with the definitions of scikit-learn (`zero_division=0`); test/golden/metrics.py makes the reference. */
import type { ClassScores } from './classification.ts';

/** Counts over some rows: by label, and of rows with exactly the right labels. */
export type LabelCounts = {
  rows: number;
  exact: number;
  hits: Float64Array;
  predicted: Float64Array;
  actual: Float64Array;
};

/** Counts rows; `actual` and `predicted` are [rows * labels] with 1 for a label that a row has. */
export function countLabelSets(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  { labels, rows }: { labels: number; rows: ArrayLike<number> },
): LabelCounts {
  const counts = {
    rows: rows.length,
    exact: 0,
    hits: new Float64Array(labels),
    predicted: new Float64Array(labels),
    actual: new Float64Array(labels),
  };
  for (let index = 0; index < rows.length; index++) {
    let wrong = 0;
    for (let label = 0; label < labels; label++) {
      const place = (rows[index] as number) * labels + label;
      const is = actual[place] as number;
      const said = predicted[place] as number;
      counts.actual[label]! += is;
      counts.predicted[label]! += said;
      if (is !== said) wrong++;
      else counts.hits[label]! += is;
    }
    if (wrong === 0) counts.exact++;
  }
  return counts;
}

/** Exact accuracy, and F1 over all labels together and as a mean over the labels, those that never occur included. */
export function labelSetScores({ rows, exact, hits, predicted, actual }: LabelCounts) {
  const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
  const f1s = Array.from(hits, (count, label) => ratio(2 * count, predicted[label]! + actual[label]!));
  return {
    accuracy: ratio(exact, rows),
    microF1: ratio(2 * total(hits), total(predicted) + total(actual)),
    f1: ratio(
      f1s.reduce((sum, f1) => sum + f1, 0),
      f1s.length,
    ),
  };
}

export function scoresOfLabel({ hits, predicted, actual }: LabelCounts, label: number): ClassScores {
  const [hit, said, is] = [hits[label]!, predicted[label]!, actual[label]!];
  return {
    precision: ratio(hit, said),
    recall: ratio(hit, is),
    f1: ratio(2 * hit, said + is),
    support: is,
  };
}

const ratio = (numerator: number, denominator: number) => (denominator === 0 ? 0 : numerator / denominator);
