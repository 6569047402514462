import { type EncodedSplit, idsOf, tokensOf, typeIdsOf } from './encoded.ts';

/** Rows of one step, padded to the longest of them. All arrays are row-major. */
export type PaddedRows = {
  rows: number;
  length: number;
  /** [rows * length] */
  inputIds: Int32Array;
  /** [rows * length] 1 for a token, 0 for padding. */
  attentionMask: Int32Array;
  /** [rows * length] */
  tokenTypeIds: Int32Array;
  /** [rows] places of the rows in their split. */
  indices: Int32Array;
};

/** Rows with what the loss compares with. */
export type Batch = PaddedRows & {
  /** In the layout of the task; of integers, -100 (any negative number) = no label. */
  labels: Int32Array | Float32Array;
  /** Places in [rows * length] whose logits are wanted, where the task asks for some alone. */
  positions?: Int32Array;
};

export function padRows(split: EncodedSplit, indices: Int32Array): PaddedRows {
  const rows = indices.length;
  const length = indices.reduce((longest, row) => Math.max(longest, tokensOf(split, row)), 0);
  const inputIds = new Int32Array(rows * length).fill(split.padTokenId);
  const attentionMask = new Int32Array(rows * length);
  const tokenTypeIds = new Int32Array(rows * length);
  for (const [position, row] of indices.entries()) {
    const target = position * length;
    inputIds.set(idsOf(split, row), target);
    tokenTypeIds.set(typeIdsOf(split, row), target);
    attentionMask.fill(1, target, target + tokensOf(split, row));
  }
  return { rows, length, inputIds, attentionMask, tokenTypeIds, indices };
}

/** Tokens of a batch without its padding. */
export function tokensIn({ attentionMask }: Batch): number {
  return attentionMask.reduce((sum, bit) => sum + bit, 0);
}
