import { type EncodedSplit, labelsOf, tokensOf } from './encoded.ts';
import { TextIndex } from './text-keys.ts';

/** Nearest-rank quantile of sorted values; 0 for none. */
export function quantile(sorted: Int32Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
}

/** [labels] rows, or words, of each label. */
export function countLabels(split: EncodedSplit, labels: number): Int32Array {
  const counts = new Int32Array(labels);
  for (const label of split.labels) if (label >= 0) counts[label] = (counts[label] as number) + 1;
  return counts;
}

/** Labels that no token stands for. */
export function countLost(split: EncodedSplit): number {
  return sumOf(split.lostLabels);
}

/** Rows cut by maxLength. */
export function countTruncated(split: EncodedSplit): number {
  let [row, truncated] = [0, 0];
  for (const full of split.fullLengths) if (full > tokensOf(split, row++)) truncated += 1;
  return truncated;
}

/** Rows whose text was seen before in the split. */
export function countDuplicates(split: EncodedSplit): number {
  return new TextIndex(split).firstRows.reduce((count, first, row) => count + (first === row ? 0 : 1), 0);
}

/** Rows of `split` whose text is also in `train`. */
export function countLeaked(split: EncodedSplit, train: EncodedSplit): number {
  return sumOf(new TextIndex(train).holds(split));
}

/** Rows whose text also occurs with another label in the split. */
export function countConflicting(split: EncodedSplit): number {
  const { firstRows } = new TextIndex(split);
  /** [rows] 1 for the first row of a text that has several labels. */
  const several = new Uint8Array(split.rows);
  const labelOf = (row: number) =>
    [...labelsOf(split, row), split.values.length > 0 ? split.values.at(row) : ''].join();
  for (const [row, first] of firstRows.entries())
    if (row !== first && labelOf(row) !== labelOf(first)) several[first] = 1;
  return firstRows.reduce((count, first) => count + (several[first] as number), 0);
}

/** Part of the tokens that the vocabulary does not know, after truncation. */
export function unknownShare(split: EncodedSplit): number {
  return sumOf(split.unknown) / Math.max(1, split.ids.length);
}

/**
 * Accuracy of the best rule "shorter than n tokens = one label, else another", on the rows it was made from. Where it
 * is high, the model can look good without understanding a word.
 */
export function lengthRuleAccuracy(split: EncodedSplit, labels: number): number {
  const above = countLabels(split, labels);
  const below = new Int32Array(labels);
  const [lengths, labelOf] = [split.fullLengths.slice(), split.labels.slice()];
  const order = Int32Array.from({ length: split.rows }, (_, row) => row).sort(
    (a, b) => (lengths[a] as number) - (lengths[b] as number),
  );
  let best = Math.max(...above);
  for (const [position, row] of order.entries()) {
    const label = labelOf[row] as number;
    above[label] = (above[label] as number) - 1;
    below[label] = (below[label] as number) + 1;
    const next = order[position + 1];
    if (next === undefined || lengths[next] !== lengths[row])
      best = Math.max(best, Math.max(...below) + Math.max(...above));
  }
  return best / Math.max(1, split.rows);
}

function sumOf(numbers: Iterable<number>): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}
