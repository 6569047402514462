/**
 * Rows as the model reads them. Tokens and whatever else belongs to a row lie on disk; memory holds the lengths of the
 * rows alone, eight bytes each, so that it grows neither with texts nor much with rows.
 */
import { createHash, hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from './row.ts';
import { ArrayWriter, type NumberKind, type Numbers, type StoredArray } from './stored-array.ts';

/** What is on disk of a split, by its type of number. */
const columns = {
  /** [texts] line of the file on which the row with the text starts. */
  lines: Int32Array,
  /** [tokens] after truncation, special tokens included; row r from offsets[r] to offsets[r + 1]. */
  ids: Int32Array,
  /** [tokens] */
  typeIds: Uint8Array,
  /** [tokens] place of each token's word in its text, -1 for special tokens; empty where the task reads no words. */
  words: Int32Array,
  /** [rows + 1] */
  offsets: Float64Array,
  /** Label ids that the loss compares with, -100 for none; those of row r from labelOffsets[r] to labelOffsets[r + 1]. */
  labels: Int32Array,
  /** [rows + 1] */
  labelOffsets: Float64Array,
  /** [texts] numbers that a regression learns; empty for other tasks. */
  values: Float32Array,
  /** [texts] labels that no token stands for. */
  lostLabels: Int32Array,
  /** [texts] tokens before truncation. */
  fullLengths: Int32Array,
  /** [texts] tokens that the vocabulary does not know, after truncation. */
  unknown: Int32Array,
  /** [texts * 32] SHA-256 of each row of the file. */
  rowDigests: Uint8Array,
  /** [texts * 2] hash of the text without regard to case and white space: equal keys are duplicates. */
  textKeys: Uint32Array,
  /** [texts + 1] the first row of each text; empty where each text is one row and not cut into windows. */
  windowOffsets: Int32Array,
} as const;
type ColumnName = keyof typeof columns;
type NumbersOf<Name extends ColumnName> = InstanceType<(typeof columns)[Name]>;
type Stored = { [Name in ColumnName]: StoredArray<NumbersOf<Name>> };

/** A split ready for training. A row is what the model reads at once: a text, or a window of one. */
export type EncodedSplit = Omit<Stored, 'offsets'> & {
  rows: number;
  texts: number;
  /** File of the rows as the user knows it. */
  file: string;
  /** [rows + 1] where the tokens of the rows start; the only array in memory. */
  offsets: Float64Array;
  /** Labels of the run. */
  labelCount: number;
  padTokenId: number;
  maskTokenId: number | undefined;
  /** Tokens that the tokenizer knows. */
  vocabularySize: number;
  /** "sha256:..." over the row digests in order. */
  digest: string;
};

/** Tokens of several texts, in memory; text t from offsets[t] to offsets[t + 1]. */
export type EncodedTexts = {
  ids: Int32Array;
  typeIds: Uint8Array;
  offsets: Int32Array;
  words: Int32Array;
  fullLengths: Int32Array;
  unknown: Int32Array;
};

/** What a split takes over from the tokenizer. */
export type SplitTokens = Pick<EncodedSplit, 'padTokenId' | 'maskTokenId' | 'vocabularySize'>;

const digestBytes = 32;
/** Of 64 bits: among 10 million texts two different ones meet with a probability of 3 in a million. */
const keyWords = 2;

/** Writes encoded rows into a folder of their own, which is made. */
export class EncodedRows {
  readonly #directory: string;
  readonly #columns = {} as { [Name in ColumnName]: ArrayWriter<NumbersOf<Name>> };
  readonly #digest = createHash('sha256');
  #rows = 0;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    for (const [name, kind] of Object.entries(columns) as [ColumnName, NumberKind<Numbers>][])
      Object.assign(this.#columns, { [name]: new ArrayWriter(join(directory, name), kind) });
    this.#columns.offsets.append([0]);
    this.#columns.labelOffsets.append([0]);
  }

  /** Appends rows with their tokens; `targets` gives for each row the label ids that the loss compares with. */
  append(rows: readonly Row[], encoded: EncodedTexts, targets: readonly ArrayLike<number>[]): void {
    const to = this.#columns;
    const before = to.ids.length;
    to.ids.append(encoded.ids);
    to.typeIds.append(encoded.typeIds);
    to.words.append(encoded.words);
    to.offsets.append(Float64Array.from(encoded.offsets.subarray(1), (offset) => offset + before));
    to.fullLengths.append(encoded.fullLengths);
    to.unknown.append(encoded.unknown);
    for (const [index, row] of rows.entries()) {
      const ids = targets[index] as ArrayLike<number>;
      to.labels.append(ids);
      to.labelOffsets.append([to.labels.length]);
      to.lostLabels.append([row.labels.length - Array.from(ids).filter((id) => id >= 0).length]);
      to.lines.append([row.line]);
      if (row.value !== undefined) to.values.append([row.value]);
      this.#appendDigest(hash('sha256', JSON.stringify(contentOf(row)), 'buffer'));
      to.textKeys.append(textKey(row.text2 === undefined ? row.text : `${row.text}\n${row.text2}`));
    }
    this.#rows += rows.length;
  }

  /** Appends a row of another split. */
  copy(split: EncodedSplit, row: number): void {
    const to = this.#columns;
    to.ids.append(idsOf(split, row));
    to.typeIds.append(typeIdsOf(split, row));
    to.words.append(wordsOf(split, row));
    to.offsets.append([to.ids.length]);
    to.labels.append(labelsOf(split, row));
    to.labelOffsets.append([to.labels.length]);
    if (split.values.length > 0) to.values.append([split.values.at(row)]);
    for (const name of ['lines', 'lostLabels', 'fullLengths', 'unknown'] as const)
      to[name].append([split[name].at(row)]);
    this.#appendDigest(split.rowDigests.slice(row * digestBytes, (row + 1) * digestBytes));
    to.textKeys.append(split.textKeys.slice(row * keyWords, (row + 1) * keyWords));
    this.#rows += 1;
  }

  /** @param labelOrder new id of each label id used in `append`. */
  finish(file: string, tokens: SplitTokens, labelOrder: Int32Array): EncodedSplit {
    const stored = Object.fromEntries(
      Object.entries(this.#columns).map(([name, column]) => [name, column.finish()]),
    ) as Stored;
    return {
      ...stored,
      rows: this.#rows,
      texts: this.#rows,
      file,
      offsets: stored.offsets.slice(),
      labels: this.#reordered(stored.labels, labelOrder),
      labelCount: labelOrder.length,
      padTokenId: tokens.padTokenId,
      maskTokenId: tokens.maskTokenId,
      vocabularySize: tokens.vocabularySize,
      digest: `sha256:${this.#digest.digest('hex')}`,
    };
  }

  #appendDigest(digest: Uint8Array): void {
    this.#digest.update(digest);
    this.#columns.rowDigests.append(digest);
  }

  #reordered(labels: Stored['labels'], order: Int32Array): Stored['labels'] {
    if (order.every((to, from) => to === from)) return labels;
    const writer = new ArrayWriter<NumbersOf<'labels'>>(join(this.#directory, 'labels-in-order'), Int32Array);
    for (const block of labels.blocks())
      writer.append(block.map((label) => (label < 0 ? label : (order[label] as number))));
    return writer.finish();
  }
}

/** The rows at `indices`, in that order, written to a folder of their own. */
export function selectRows(split: EncodedSplit, indices: Int32Array, directory: string): EncodedSplit {
  const rows = new EncodedRows(directory);
  for (const row of indices) rows.copy(split, row);
  const order = Int32Array.from({ length: split.labelCount }, (_, label) => label);
  return rows.finish(split.file, split, order);
}

/** Tokens of a row after truncation. */
export function tokensOf(split: Pick<EncodedSplit, 'offsets'>, row: number): number {
  return (split.offsets[row + 1] as number) - (split.offsets[row] as number);
}

/** [tokensOf] ids of a row's tokens. */
export function idsOf({ ids, offsets }: Pick<EncodedSplit, 'ids' | 'offsets'>, row: number): Int32Array {
  return ids.slice(offsets[row], offsets[row + 1]);
}

/** [tokensOf] */
export function typeIdsOf({ typeIds, offsets }: EncodedSplit, row: number): Uint8Array {
  return typeIds.slice(offsets[row], offsets[row + 1]);
}

/** [tokensOf] place of each token's word; empty where the task reads no words. */
export function wordsOf({ words, offsets }: EncodedSplit, row: number): Int32Array {
  return words.length === 0 ? new Int32Array() : words.slice(offsets[row], offsets[row + 1]);
}

/** Label ids of a row. */
export function labelsOf({ labels, labelOffsets }: EncodedSplit, row: number): Int32Array {
  const [start, end] = labelOffsets.slice(row, row + 2);
  return labels.slice(start, end);
}

/** The rows of a text: from the first to before the second number. */
export function rowsOf({ windowOffsets }: EncodedSplit, text: number): [number, number] {
  return windowOffsets.length === 0 ? [text, text + 1] : [windowOffsets.at(text), windowOffsets.at(text + 1)];
}

/** What a row's digest is of; for one text with one label [text, label]. */
function contentOf({ text, text2, words, labels, value }: Row): unknown[] {
  const texts = text2 === undefined ? [words ?? text] : [text, text2];
  return [...texts, ...labels, ...(value === undefined ? [] : [value])];
}

/** Texts that differ only in case or white space count as the same text. */
function textKey(text: string): Uint32Array {
  const bytes = hash('sha256', text.toLowerCase().replace(/\s+/g, ' ').trim(), 'buffer');
  return Uint32Array.of(bytes.readUInt32LE(0), bytes.readUInt32LE(4));
}
