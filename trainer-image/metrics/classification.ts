/** Classification metrics with the definitions of scikit-learn (`zero_division=0`); test/golden/metrics.py makes the reference. */

export type ClassScores = {
  precision: number;
  recall: number;
  f1: number;
  /** Rows whose actual label is this class. */
  support: number;
};

export type ClassificationScores = {
  rows: number;
  accuracy: number;
  /** Mean F1 over the classes that occur as actual or predicted label. */
  f1: number;
  /** Mean F1 weighted by support. */
  weightedF1: number;
  /** confusion[actual][predicted] = rows. */
  confusion: number[][];
  classes: ClassScores[];
};

/** Counts rows by actual and predicted class; both hold class ids below `classes`. */
export function confusionMatrix(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): number[][] {
  if (actual.length !== predicted.length) {
    throw new Error(
      `${actual.length} actual labels and ${predicted.length} predictions do not belong together`,
    );
  }
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let row = 0; row < actual.length; row++) {
    const counts = confusion[actual[row]!];
    if (counts?.[predicted[row]!] === undefined) {
      throw new Error(`row ${row}: class ${actual[row]} or ${predicted[row]} is not below ${classes}`);
    }
    counts[predicted[row]!]!++;
  }
  return confusion;
}

/** Scores of one prediction per row; zero where a quotient has a zero denominator. */
export function classificationScores(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ClassificationScores {
  const confusion = confusionMatrix(actual, predicted, classes);
  const counts = countsOf(confusion);
  const scores = Array.from({ length: classes }, (_, id) => ({
    precision: ratio(counts.hits[id]!, counts.predicted[id]!),
    recall: ratio(counts.hits[id]!, counts.actual[id]!),
    f1: ratio(2 * counts.hits[id]!, counts.predicted[id]! + counts.actual[id]!),
    support: counts.actual[id]!,
  }));
  return { rows: actual.length, ...averages(counts), confusion, classes: scores };
}

/** Per class: rows predicted right, rows predicted as it, rows that are it. All a mean needs to know. */
export type ClassCounts = { hits: Float64Array; predicted: Float64Array; actual: Float64Array };

export function emptyCounts(classes: number): ClassCounts {
  return {
    hits: new Float64Array(classes),
    predicted: new Float64Array(classes),
    actual: new Float64Array(classes),
  };
}

/** Accuracy, macro F1 and weighted F1 from per-class counts. */
export function averages(counts: ClassCounts): { accuracy: number; f1: number; weightedF1: number } {
  let hits = 0;
  let rows = 0;
  let present = 0;
  let f1Sum = 0;
  let weightedSum = 0;
  for (let id = 0; id < counts.actual.length; id++) {
    const size = counts.predicted[id]! + counts.actual[id]!;
    if (size === 0) continue;
    const f1 = (2 * counts.hits[id]!) / size;
    present++;
    f1Sum += f1;
    weightedSum += f1 * counts.actual[id]!;
    hits += counts.hits[id]!;
    rows += counts.actual[id]!;
  }
  return { accuracy: ratio(hits, rows), f1: ratio(f1Sum, present), weightedF1: ratio(weightedSum, rows) };
}

function countsOf(confusion: readonly (readonly number[])[]): ClassCounts {
  const counts = emptyCounts(confusion.length);
  for (const [actual, row] of confusion.entries()) {
    for (const [predicted, rows] of row.entries()) {
      counts.actual[actual]! += rows;
      counts.predicted[predicted]! += rows;
      if (actual === predicted) counts.hits[actual]! += rows;
    }
  }
  return counts;
}

const ratio = (numerator: number, denominator: number) => (denominator === 0 ? 0 : numerator / denominator);
