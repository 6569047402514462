import { type EncodedSplit, idsOf, tokensOf, typeIdsOf } from './encoded.ts';

/**
 * Rows of one step, padded to the longest of them. All arrays are row-major. Each row holds one example, which is a row of
 * the split; packed, it holds several that do not see each other.
 */
export type PaddedRows = {
  rows: number;
  length: number;
  /** [rows * length] */
  inputIds: Int32Array;
  /** [rows * length] 0 for padding, 1 for a token; packed, the number of its example in the row, from 1. */
  attentionMask: Int32Array;
  /** [rows * length] */
  tokenTypeIds: Int32Array;
  /** [examples] places of the examples in their split. */
  indices: Int32Array;
  /** [examples] places in [rows * length] at which they start. */
  starts: Int32Array;
  /** Packed alone: [rows * length] place of a token in its example. */
  positionIds?: Int32Array;
};

/** Rows with what the loss compares with. */
export type Batch = PaddedRows & {
  /** In the layout of the task; of integers, -100 (any negative number) = no label. */
  labels: Int32Array | Float32Array;
  /** Places in [rows * length] whose logits are wanted, where the task asks for some alone. */
  positions?: Int32Array;
};

/** Each row of the split in a row of its own. */
export function padRows(split: EncodedSplit, indices: Int32Array): PaddedRows {
  const sequences = Int32Array.from({ length: indices.length + 1 }, (_, row) => row);
  const { positionIds: _, ...rows } = packRows(split, indices, sequences);
  return rows;
}

/** Several rows of the split in one: row q gets those at the places sequences[q] to sequences[q + 1] of `order`. */
export function packRows(split: EncodedSplit, order: Int32Array, sequences: Int32Array): PaddedRows {
  const rows = sequences.length - 1;
  const examplesOf = (row: number) => order.subarray(sequences[row], sequences[row + 1]);
  let length = 0;
  for (let row = 0; row < rows; row++)
    length = Math.max(
      length,
      examplesOf(row).reduce((sum, index) => sum + tokensOf(split, index), 0),
    );
  const numbers = () => new Int32Array(rows * length);
  const [attentionMask, tokenTypeIds, positionIds] = [numbers(), numbers(), numbers()];
  const inputIds = numbers().fill(split.padTokenId);
  const starts: number[] = [];
  for (let row = 0; row < rows; row++) {
    let target = row * length;
    for (const [number, index] of examplesOf(row).entries()) {
      const ids = idsOf(split, index);
      starts.push(target);
      inputIds.set(ids, target);
      tokenTypeIds.set(typeIdsOf(split, index), target);
      for (let place = 0; place < ids.length; place++, target++) {
        attentionMask[target] = number + 1;
        positionIds[target] = place;
      }
    }
  }
  const rest = { inputIds, attentionMask, tokenTypeIds, positionIds };
  const indices = order.slice(sequences[0], sequences[rows]);
  return { rows, length, ...rest, indices, starts: Int32Array.from(starts) };
}

/** Tokens of a batch without its padding. */
export function tokensIn({ attentionMask }: Batch): number {
  return attentionMask.reduce((sum, number) => sum + Math.min(number, 1), 0);
}
