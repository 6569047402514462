import { type EncodedSplit, labelsOf, tokensOf } from './encoded.ts';

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
  return split.lostLabels.reduce((sum, lost) => sum + lost, 0);
}

/** Rows cut by maxLength. */
export function countTruncated(split: EncodedSplit): number {
  return split.fullLengths.reduce((count, full, row) => count + (full > tokensOf(split, row) ? 1 : 0), 0);
}

/** Rows whose text was seen before in the split. */
export function countDuplicates(split: EncodedSplit): number {
  return split.rows - new Set(split.textKeys).size;
}

/** Rows of `split` whose text is also in `train`. */
export function countLeaked(split: EncodedSplit, train: EncodedSplit): number {
  const seen = new Set(train.textKeys);
  return split.textKeys.reduce((count, key) => count + (seen.has(key) ? 1 : 0), 0);
}

/** Rows whose text also occurs with another label in the split. */
export function countConflicting(split: EncodedSplit): number {
  const several = 'several';
  const labelOf = new Map<string, string>();
  for (const [row, key] of split.textKeys.entries()) {
    const known = labelOf.get(key);
    const label = labelsOf(split, row).join();
    labelOf.set(key, known === undefined || known === label ? label : several);
  }
  return split.textKeys.reduce((count, key) => count + (labelOf.get(key) === several ? 1 : 0), 0);
}

/** Part of the tokens that the vocabulary does not know, after truncation. */
export function unknownShare(split: EncodedSplit): number {
  return split.unknown.reduce((sum, count) => sum + count, 0) / Math.max(1, split.ids.length);
}

/**
 * Accuracy of the best rule "shorter than n tokens = one label, else another", on the rows it was made from. Where it
 * is high, the model can look good without understanding a word.
 */
export function lengthRuleAccuracy(split: EncodedSplit, labels: number): number {
  const above = countLabels(split, labels);
  const below = new Int32Array(labels);
  const order = Int32Array.from({ length: split.rows }, (_, row) => row).sort(
    (a, b) => (split.fullLengths[a] as number) - (split.fullLengths[b] as number),
  );
  let best = Math.max(...above);
  for (const [position, row] of order.entries()) {
    const label = split.labels[row] as number;
    above[label] = (above[label] as number) - 1;
    below[label] = (below[label] as number) + 1;
    const next = order[position + 1];
    if (next === undefined || split.fullLengths[next] !== split.fullLengths[row])
      best = Math.max(best, Math.max(...below) + Math.max(...above));
  }
  return best / Math.max(1, split.rows);
}
