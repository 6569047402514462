/**
 * Windows over texts that are longer than the model reads, as Hugging Face tokenizers give them with
 * `return_overflowing_tokens` and a `stride`: nothing is cut off, and each window is a row of its own.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type EncodedSplit, idsOf, labelsOf, typeIdsOf, wordsOf } from './encoded.ts';
import { ArrayWriter } from './stored-array.ts';

export type Windows = {
  /** Tokens of a window, special ones included. */
  maxLength: number;
  /** Tokens of the text that a window shares with the next one. */
  stride: number;
  /** Special tokens in front of a text and behind it. */
  before: number;
  after: number;
  /** True where the first window is the end of the text (`truncation_side` left). */
  fromEnd: boolean;
};

/** Start and end of each window over so many tokens of a text, special ones left out. */
export function windowRanges(
  tokens: number,
  { maxLength, stride, before, after, fromEnd }: Windows,
): [start: number, end: number][] {
  const room = maxLength - before - after;
  const ranges: [number, number][] = [];
  for (let start = 0; ; start += room - stride) {
    const end = Math.min(start + room, tokens);
    ranges.push(fromEnd ? [tokens - end, tokens - start] : [start, end]);
    if (end === tokens) return ranges;
  }
}

/** Cuts texts that were encoded whole; the windows are written to a folder of their own. */
export function cutIntoWindows(split: EncodedSplit, windows: Windows, directory: string): EncodedSplit {
  mkdirSync(directory, { recursive: true });
  const file = (name: string) => join(directory, name);
  const to = {
    ids: new ArrayWriter<Int32Array<ArrayBuffer>>(file('ids'), Int32Array),
    typeIds: new ArrayWriter<Uint8Array<ArrayBuffer>>(file('typeIds'), Uint8Array),
    words: new ArrayWriter<Int32Array<ArrayBuffer>>(file('words'), Int32Array),
    labels: new ArrayWriter<Int32Array<ArrayBuffer>>(file('labels'), Int32Array),
    offsets: new ArrayWriter<Float64Array<ArrayBuffer>>(file('offsets'), Float64Array),
    labelOffsets: new ArrayWriter<Float64Array<ArrayBuffer>>(file('labelOffsets'), Float64Array),
    windowOffsets: new ArrayWriter<Int32Array<ArrayBuffer>>(file('windowOffsets'), Int32Array),
  };
  to.offsets.append([0]);
  to.labelOffsets.append([0]);
  to.windowOffsets.append([0]);
  for (let text = 0; text < split.texts; text++) {
    const [ids, typeIds] = [idsOf(split, text), typeIdsOf(split, text)];
    const [words, labels] = [wordsOf(split, text), labelsOf(split, text)];
    const { before, after } = windows;
    for (const [from, end] of windowRanges(ids.length - before - after, windows)) {
      const cut = (values: Int32Array | Uint8Array) => windowOf(values, [from, end], windows);
      to.ids.append(cut(ids));
      to.typeIds.append(cut(typeIds));
      to.words.append(cut(words));
      to.labels.append(
        labels.length === 0 ? [] : labelsOfWindow(cut(labels), { labels, words, at: from + before, before }),
      );
      to.offsets.append([to.ids.length]);
      to.labelOffsets.append([to.labels.length]);
    }
    to.windowOffsets.append([to.offsets.length - 1]);
  }
  return {
    ...split,
    rows: to.offsets.length - 1,
    ids: to.ids.finish(),
    typeIds: to.typeIds.finish(),
    words: to.words.finish(),
    labels: to.labels.finish(),
    offsets: to.offsets.finish().slice(),
    labelOffsets: to.labelOffsets.finish(),
    windowOffsets: to.windowOffsets.finish(),
  };
}

/** The special tokens of a text and what it has between two places; of no values none. */
function windowOf(
  values: Int32Array | Uint8Array,
  [start, end]: readonly [number, number],
  { before, after }: Windows,
): number[] {
  const middle = values.subarray(start + before, end + before);
  return [...values.subarray(0, before), ...middle, ...values.subarray(values.length - after)];
}

/** As run_ner has it: the first token of a window has the label of its word, also where the word began earlier. */
function labelsOfWindow(
  cut: number[],
  { labels, words, at, before }: { labels: Int32Array; words: Int32Array; at: number; before: number },
): number[] {
  let first = at;
  while (first > before && words[first - 1] === words[at]) first -= 1;
  if (cut.length > before) cut[before] = labels[first] as number;
  return cut;
}
