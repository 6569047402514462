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
  /** Label ids that the loss compares with, -100 for none; those of row r from labelOffsets[r] to labelOffsets[r + 1]. */
  labels: Int32Array;
  /** [rows + 1] */
  labelOffsets: Int32Array;
  /** [tokens] place of each token's word in its text, -1 for special tokens; empty where the task reads no words. */
  words: Int32Array;
  /** [rows] labels that no token stands for. */
  lostLabels: Int32Array;
  /** [rows] tokens before truncation. */
  fullLengths: Int32Array;
  /** [rows] tokens that the vocabulary does not know, after truncation. */
  unknown: Int32Array;
  /** [rows * 32] SHA-256 of each row. */
  rowDigests: Uint8Array;
  /** [rows] hash of the text without regard to case and white space: equal keys are duplicates. */
  textKeys: string[];
  padTokenId: number;
  maskTokenId: number | undefined;
  /** Tokens that the tokenizer knows. */
  vocabularySize: number;
  /** "sha256:..." over the row digests in order. */
  digest: string;
};

/** Tokens of several texts; text t from offsets[t] to offsets[t + 1]. */
export type EncodedTexts = Pick<
  EncodedSplit,
  'ids' | 'typeIds' | 'offsets' | 'words' | 'fullLengths' | 'unknown'
>;

/** What a split takes over from the tokenizer. */
export type SplitTokens = Pick<EncodedSplit, 'padTokenId' | 'maskTokenId' | 'vocabularySize'>;

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
  readonly #labelOffsets = new Growing((length) => new Int32Array(length));
  readonly #words = new Growing((length) => new Int32Array(length));
  readonly #lostLabels = new Growing((length) => new Int32Array(length));
  readonly #fullLengths = new Growing((length) => new Int32Array(length));
  readonly #unknown = new Growing((length) => new Int32Array(length));
  readonly #rowDigests = new Growing((length) => new Uint8Array(length));
  readonly #textKeys: string[] = [];

  constructor() {
    this.#offsets.append([0]);
    this.#labelOffsets.append([0]);
  }

  /** Appends rows with their tokens; `targets` gives for each row the label ids that the loss compares with. */
  append(rows: readonly Row[], encoded: EncodedTexts, targets: readonly ArrayLike<number>[]): void {
    const before = this.#ids.length;
    this.#ids.append(encoded.ids);
    this.#typeIds.append(encoded.typeIds);
    this.#offsets.append(encoded.offsets.subarray(1).map((offset) => offset + before));
    this.#fullLengths.append(encoded.fullLengths);
    this.#unknown.append(encoded.unknown);
    this.#words.append(encoded.words);
    for (const [index, { labels }] of rows.entries()) {
      const ids = targets[index] as ArrayLike<number>;
      this.#labels.append(ids);
      this.#labelOffsets.append([this.#labels.length]);
      this.#lostLabels.append([labels.length - Array.from(ids).filter((id) => id >= 0).length]);
    }
    this.#lines.append(rows.map((row) => row.line));
    for (const { text, words, labels } of rows) {
      this.#rowDigests.append(hash('sha256', JSON.stringify([words ?? text, ...labels]), 'buffer'));
      this.#textKeys.push(textKey(text));
    }
  }

  /** @param labelOrder new id of each label id used in `append`. */
  finish(file: string, tokens: SplitTokens, labelOrder: Int32Array): EncodedSplit {
    const rowDigests = this.#rowDigests.take();
    return {
      rows: this.#textKeys.length,
      file,
      lines: this.#lines.take(),
      ids: this.#ids.take(),
      typeIds: this.#typeIds.take(),
      offsets: this.#offsets.take(),
      labels: this.#labels.take().map((label) => (label < 0 ? label : (labelOrder[label] as number))),
      labelOffsets: this.#labelOffsets.take(),
      words: this.#words.take(),
      lostLabels: this.#lostLabels.take(),
      fullLengths: this.#fullLengths.take(),
      unknown: this.#unknown.take(),
      rowDigests,
      textKeys: this.#textKeys,
      padTokenId: tokens.padTokenId,
      maskTokenId: tokens.maskTokenId,
      vocabularySize: tokens.vocabularySize,
      digest: digestOf(rowDigests),
    };
  }
}

/** The rows at `indices`, in that order. */
export function selectRows(split: EncodedSplit, indices: Int32Array): EncodedSplit {
  const pick = (values: Int32Array): Int32Array => indices.map((row) => values[row] as number);
  const pieces = <T extends Int32Array | Uint8Array>(values: T, offsets: Int32Array): T => {
    const chosen = new Growing((length) => new (values.constructor as new (length: number) => T)(length));
    for (const row of indices) chosen.append(values.subarray(offsets[row], offsets[row + 1]));
    return chosen.take();
  };
  const ends = (offsets: Int32Array): Int32Array => {
    const picked = new Int32Array(indices.length + 1);
    for (const [position, row] of indices.entries())
      picked[position + 1] =
        (picked[position] as number) + (offsets[row + 1] as number) - (offsets[row] as number);
    return picked;
  };
  const digestOffsets = Int32Array.from({ length: split.rows + 1 }, (_, row) => row * digestBytes);
  const rowDigests = pieces(split.rowDigests, digestOffsets);
  return {
    ...split,
    rows: indices.length,
    lines: pick(split.lines),
    ids: pieces(split.ids, split.offsets),
    typeIds: pieces(split.typeIds, split.offsets),
    offsets: ends(split.offsets),
    labels: pieces(split.labels, split.labelOffsets),
    labelOffsets: ends(split.labelOffsets),
    words: pieces(split.words, split.offsets),
    lostLabels: pick(split.lostLabels),
    fullLengths: pick(split.fullLengths),
    unknown: pick(split.unknown),
    rowDigests,
    textKeys: Array.from(indices, (row) => split.textKeys[row] as string),
    digest: digestOf(rowDigests),
  };
}

/** Label ids of a row. */
export function labelsOf(split: EncodedSplit, row: number): Int32Array {
  return split.labels.subarray(split.labelOffsets[row], split.labelOffsets[row + 1]);
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
