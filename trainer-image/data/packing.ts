/** Texts side by side in one row of a batch, so that little or nothing of it is padding. */
import { type EncodedSplit, tokensOf } from './encoded.ts';

/** groupOf[i] is the group of element i, from 0 to count - 1. */
export type Groups = { groupOf: Int32Array; count: number };

/**
 * Best-fit decreasing: each length goes where it leaves the least room, and where nothing has room for it a new group is
 * opened. How many there are depends on the lengths alone.
 * @param lengths the longest first, none above `capacity`.
 */
export function bestFitDecreasing(lengths: Int32Array, capacity: number): Groups {
  const groupOf = new Int32Array(lengths.length);
  const none = -1;
  // Groups with equal room make a chain: its end by room, and of each group the one before it.
  const last = new Int32Array(capacity + 1).fill(none);
  const before = new Int32Array(lengths.length);
  let count = 0;
  for (const [index, length] of lengths.entries()) {
    let room = length;
    while (room < capacity && last[room] === none) room++;
    let group = last[room] as number;
    if (group === none) {
      group = count++;
      room = capacity;
    } else {
      last[room] = before[group] as number;
    }
    groupOf[index] = group;
    before[group] = last[room - length] as number;
    last[room - length] = group;
  }
  return { groupOf, count };
}

/**
 * All texts as one, cut into blocks: row r of the result is block r. As group_texts of transformers' run_mlm does, but
 * that the last block, which may be shorter, is kept. Of a row only tokens, types and words are told.
 */
export function wrapped(split: EncodedSplit, maxLength: number): EncodedSplit {
  const tokens = split.offsets[split.rows] as number;
  const rows = Math.ceil(tokens / maxLength);
  const offsets = Float64Array.from({ length: rows + 1 }, (_, row) => Math.min(tokens, row * maxLength));
  return { ...split, rows, offsets };
}

/**
 * Each text by itself, cut where it is longer than a row may be: row r of `pieces` is a part of text `rowOf[r]`. Where
 * nothing is too long, that is the split as it is. Of a piece only tokens, types and words are told.
 */
export function piecesOf(
  split: EncodedSplit,
  maxLength: number,
): { pieces: EncodedSplit; rowOf: Int32Array } {
  const partsOf = (row: number): number => Math.max(1, Math.ceil(tokensOf(split, row) / maxLength));
  let rows = 0;
  for (let row = 0; row < split.rows; row++) rows += partsOf(row);
  const rowOf = new Int32Array(rows);
  const offsets = new Float64Array(rows + 1);
  let piece = 0;
  for (let row = 0; row < split.rows; row++) {
    const parts = partsOf(row);
    for (let part = 1; part <= parts; part++) {
      const end =
        part === parts
          ? (split.offsets[row + 1] as number)
          : (split.offsets[row] as number) + part * maxLength;
      rowOf[piece++] = row;
      offsets[piece] = end;
    }
  }
  return { pieces: rows === split.rows ? split : { ...split, rows, offsets }, rowOf };
}
