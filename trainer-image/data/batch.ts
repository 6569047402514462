import { type EncodedSplit, tokensOf } from './encoded.ts';

/** Rows of one step, padded to the longest of them. All arrays are row-major. */
export type Batch = {
  rows: number;
  length: number;
  /** [rows * length] */
  inputIds: Int32Array;
  /** [rows * length] 1 for a token, 0 for padding. */
  attentionMask: Int32Array;
  /** [rows * length] */
  tokenTypeIds: Int32Array;
  /** [rows] */
  labels: Int32Array;
  /** [rows] places of the rows in their split. */
  indices: Int32Array;
};

export function makeBatch(split: EncodedSplit, indices: Int32Array): Batch {
  const rows = indices.length;
  const length = indices.reduce((longest, row) => Math.max(longest, tokensOf(split, row)), 0);
  const inputIds = new Int32Array(rows * length).fill(split.padTokenId);
  const attentionMask = new Int32Array(rows * length);
  const tokenTypeIds = new Int32Array(rows * length);
  for (const [position, row] of indices.entries()) {
    const start = split.offsets[row] as number;
    const end = split.offsets[row + 1] as number;
    const target = position * length;
    inputIds.set(split.ids.subarray(start, end), target);
    tokenTypeIds.set(split.typeIds.subarray(start, end), target);
    attentionMask.fill(1, target, target + end - start);
  }
  const labels = indices.map((row) => split.labels[row] as number);
  return { rows, length, inputIds, attentionMask, tokenTypeIds, labels, indices };
}

/** Tokens of a batch without its padding. */
export function tokensIn({ attentionMask }: Batch): number {
  return attentionMask.reduce((sum, bit) => sum + bit, 0);
}
