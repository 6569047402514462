import { createHash, hash } from 'node:crypto';
import type { Row } from './row.ts';

/** A split ready for training: tokens of all rows in flat arrays, row r from offsets[r] to offsets[r + 1]. */
export type EncodedSplit = {
  rows: number;
  /** File of the rows as the user knows it, and for each row the line on which it starts. */
  file: string;
  lines: Int32Array;
  /** [tokens] after truncation, special tokens included. */
  ids: Int32Array;
  /** [tokens] */
  typeIds: Uint8Array;
  /** [rows + 1] */
  offsets: Int32Array;
  /** [rows] indices into the list of labels. */
  labels: Int32Array;
  /** [rows] tokens before truncation. */
  fullLengths: Int32Array;
  /** [rows] tokens that the vocabulary does not know, after truncation. */
  unknown: Int32Array;
  /** [rows * 32] SHA-256 of each row. */
  rowDigests: Uint8Array;
  /** [rows] hash of the text without regard to case and white space: equal keys are duplicates. */
  textKeys: string[];
  padTokenId: number;
  /** "sha256:..." over the row digests in order. */
  digest: string;
};

/** Tokens of several texts; text t from offsets[t] to offsets[t + 1]. */
export type EncodedTexts = Pick<EncodedSplit, 'ids' | 'typeIds' | 'offsets' | 'fullLengths' | 'unknown'>;

const digestBytes = 32;
/** 22 letters of base64 are 132 bits: two different texts do not meet. */
const keyLetters = 22;

/** Collects encoded rows; memory is that of the arrays, not an object per row. */
export class EncodedRows {
  readonly #ids = new Growing((length) => new Int32Array(length));
  readonly #typeIds = new Growing((length) => new Uint8Array(length));
  readonly #offsets = new Growing((length) => new Int32Array(length));
  readonly #lines = new Growing((length) => new Int32Array(length));
  readonly #labels = new Growing((length) => new Int32Array(length));
  readonly #fullLengths = new Growing((length) => new Int32Array(length));
  readonly #unknown = new Growing((length) => new Int32Array(length));
  readonly #rowDigests = new Growing((length) => new Uint8Array(length));
  readonly #textKeys: string[] = [];

  constructor() {
    this.#offsets.append([0]);
  }

  /** Appends rows with their tokens; `labelIds` gives the id of each row's label. */
  append(rows: readonly Row[], encoded: EncodedTexts, labelIds: readonly number[]): void {
    const before = this.#ids.length;
    this.#ids.append(encoded.ids);
    this.#typeIds.append(encoded.typeIds);
    this.#offsets.append(encoded.offsets.subarray(1).map((offset) => offset + before));
    this.#fullLengths.append(encoded.fullLengths);
    this.#unknown.append(encoded.unknown);
    this.#labels.append(labelIds);
    this.#lines.append(rows.map((row) => row.line));
    for (const { text, label } of rows) {
      this.#rowDigests.append(hash('sha256', JSON.stringify([text, label]), 'buffer'));
      this.#textKeys.push(textKey(text));
    }
  }

  /** @param labelOrder new id of each label id used in `append`. */
  finish(file: string, padTokenId: number, labelOrder: Int32Array): EncodedSplit {
    const rowDigests = this.#rowDigests.take();
    return {
      rows: this.#textKeys.length,
      file,
      lines: this.#lines.take(),
      ids: this.#ids.take(),
      typeIds: this.#typeIds.take(),
      offsets: this.#offsets.take(),
      labels: this.#labels.take().map((label) => labelOrder[label] as number),
      fullLengths: this.#fullLengths.take(),
      unknown: this.#unknown.take(),
      rowDigests,
      textKeys: this.#textKeys,
      padTokenId,
      digest: digestOf(rowDigests),
    };
  }
}

/** The rows at `indices`, in that order. */
export function selectRows(split: EncodedSplit, indices: Int32Array): EncodedSplit {
  const pick = (values: Int32Array): Int32Array => indices.map((row) => values[row] as number);
  const offsets = new Int32Array(indices.length + 1);
  for (const [position, row] of indices.entries())
    offsets[position + 1] = (offsets[position] as number) + tokensOf(split, row);
  const tokens = offsets[indices.length] as number;
  const ids = new Int32Array(tokens);
  const typeIds = new Uint8Array(tokens);
  const rowDigests = new Uint8Array(indices.length * digestBytes);
  for (const [position, row] of indices.entries()) {
    const start = split.offsets[row] as number;
    const end = split.offsets[row + 1] as number;
    ids.set(split.ids.subarray(start, end), offsets[position]);
    typeIds.set(split.typeIds.subarray(start, end), offsets[position]);
    rowDigests.set(
      split.rowDigests.subarray(row * digestBytes, (row + 1) * digestBytes),
      position * digestBytes,
    );
  }
  return {
    ...split,
    rows: indices.length,
    lines: pick(split.lines),
    ids,
    typeIds,
    offsets,
    labels: pick(split.labels),
    fullLengths: pick(split.fullLengths),
    unknown: pick(split.unknown),
    rowDigests,
    textKeys: Array.from(indices, (row) => split.textKeys[row] as string),
    digest: digestOf(rowDigests),
  };
}

/** Tokens of a row after truncation. */
export function tokensOf(split: EncodedSplit, row: number): number {
  return (split.offsets[row + 1] as number) - (split.offsets[row] as number);
}

/** Texts that differ only in case or white space count as the same text. */
function textKey(text: string): string {
  return hash('sha256', text.toLowerCase().replace(/\s+/g, ' ').trim(), 'base64').slice(0, keyLetters);
}

function digestOf(rowDigests: Uint8Array): string {
  return `sha256:${createHash('sha256').update(rowDigests).digest('hex')}`;
}

/** A typed array that doubles when it is full. */
class Growing<T extends Int32Array | Uint8Array> {
  readonly #make: (length: number) => T;
  #values: T;
  length = 0;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#values = make(1024);
  }

  append(values: ArrayLike<number>): void {
    const needed = this.length + values.length;
    if (needed > this.#values.length) {
      const larger = this.#make(Math.max(needed, this.#values.length * 2));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values.set(values, this.length);
    this.length = needed;
  }

  take(): T {
    return this.#values.slice(0, this.length) as T;
  }
}
