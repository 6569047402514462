import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import type { Task } from '../tasks/task.ts';
import { EncodedRows, type EncodedSplit, type EncodedTexts, selectRows } from './encoded.ts';
import { Labels } from './labels.ts';
import { BadRows, type Row } from './row.ts';
import { placeOf, readRows } from './rows.ts';
import { readSlices, refuseUnmeasurable, type SlicedColumn } from './slices.ts';
import { drawSplits } from './split.ts';
import type { TextTokenizer } from './tokenizer.ts';
import { cutIntoWindows } from './windows.ts';

export type Splits = {
  train: EncodedSplit;
  validation?: EncodedSplit;
  test: EncodedSplit;
};
export type Dataset = {
  task: Task;
  /** labels[i] is the name of label id i. */
  labels: string[];
  /** What the model reads. */
  splits: Splits;
  /** The same with whole texts as rows, where the model reads windows of them. */
  texts: Splits;
  /** Groups of the texts of the test split. */
  slices: SlicedColumn[];
};

/**
 * Texts given to the tokenizer at a time: enough for all its threads. Its results take about 100 bytes a token until they
 * are collected as garbage, so the letters are bounded too.
 */
const chunkRows = 1000;
const chunkLetters = 500_000;

/** Files of the dataset that the run reads, relative to its source, each once. */
export function datasetFiles({ dataset }: RunConfig): string[] {
  const { train, validation, test } = dataset.splits;
  return [...new Set([train, validation, test].filter((file) => file !== undefined))];
}

type DatasetInputs = {
  /** Folder with the downloaded files. */
  directory: string;
  /** Folder for the encoded rows. */
  encoded: string;
  tokenizer: TextTokenizer;
  /** Labels that config.json of the model names, in the order of their ids. */
  modelLabels?: readonly string[];
};

/**
 * Reads the splits from the downloaded files below `directory` and writes them, encoded, below the folder `encoded`:
 * memory holds the texts of two chunks and a few bytes for each row.
 * @throws TrainerError DataError that names file and line (row in a Parquet file) of bad rows, an empty split, or one
 * that teaches nothing; ModelError when the tokenizer lacks what the task needs.
 */
export async function loadDataset(
  config: RunConfig,
  task: Task,
  { directory, encoded, tokenizer, modelLabels }: DatasetInputs,
): Promise<Dataset> {
  task.checkTokenizer(tokenizer);
  const { splits, fractions, labels: given } = config.dataset;
  if ((splits.test === undefined) === (fractions.test === undefined)) {
    throw new TrainerError(
      'ConfigError',
      'dataset.splits.test and dataset.fractions.test: exactly one of them is needed.',
      'Set one of them: the model is compared with the base model on held-out rows.',
    );
  }
  const labels = new Labels(given, modelLabels);
  const read = (file: string, to: string) =>
    readSplit(join(directory, file), { file, config, task, tokenizer, labels, to });
  const trainFile = await read(splits.train, join(encoded, 'train-file'));
  const order = labels.close();
  const whole = trainFile.finish(splits.train, tokenizer, order);
  const names = labels.names();
  task.checkTrain(whole, names);
  const strata = task.labelled === 'row' ? whole.labels.slice() : new Int32Array(whole.rows);
  const drawn = drawSplits(strata, Math.max(1, names.length), fractions, config.training.seed);
  const part = async (name: 'validation' | 'test') => {
    const [file, rows, to] = [splits[name], drawn[name], join(encoded, name)];
    if (file !== undefined) return (await read(file, to)).finish(file, tokenizer, labels.identity());
    return rows === undefined ? undefined : selectRows(whole, rows, to);
  };
  const validation = await part('validation');
  const test = (await part('test')) as EncodedSplit;
  const slices = await readSlices(test, config.dataset, directory);
  refuseUnmeasurable(slices, config.gate);
  let train = whole;
  if (drawn.train.length < whole.rows) {
    train = selectRows(whole, drawn.train, join(encoded, 'train'));
    rmSync(join(encoded, 'train-file'), { recursive: true });
  }
  const texts = { train, ...(validation && { validation }), test };
  return { task, labels: names, splits: windowsOf(texts, tokenizer, encoded), texts, slices };
}

/** Cuts long texts into windows where the tokenizer leaves them whole. */
function windowsOf(texts: Splits, { windows }: TextTokenizer, encoded: string): Splits {
  if (windows === undefined) return texts;
  const cut = Object.entries(texts).map(([name, split]) => [
    name,
    cutIntoWindows(split, windows, join(encoded, `${name}-windows`)),
  ]);
  return Object.fromEntries(cut) as Splits;
}

/** A row is a text, a pair of texts or a list of words, and in one dataset all are the same. */
function encodeRows(rows: readonly Row[], task: Task, tokenizer: TextTokenizer): Promise<EncodedTexts> {
  const words = rows.flatMap((row) => (row.words === undefined ? [] : [row.words]));
  if (words.length > 0) return tokenizer.encodeWords(words);
  const pairs = rows.flatMap(({ text, text2 }) => (text2 === undefined ? [] : [[text, text2] as const]));
  if (pairs.length > 0) return tokenizer.encodePairs(pairs);
  return tokenizer.encode(
    rows.map(({ text }) => text),
    task.readsWords,
  );
}

type Reading = {
  /** As the user knows it. */
  file: string;
  config: RunConfig;
  task: Task;
  tokenizer: TextTokenizer;
  labels: Labels;
  /** Folder of the encoded rows. */
  to: string;
};

/** Reads one file; the tokenizer works on one chunk while the one before it is taken over and the next is read. */
async function readSplit(
  path: string,
  { file, config, task, tokenizer, labels, to }: Reading,
): Promise<EncodedRows> {
  const { format, columns } = config.dataset;
  const bad = new BadRows(file, placeOf(format));
  const encodedRows = new EncodedRows(to);
  let encoding = Promise.resolve();
  let chunk: Row[] = [];
  let letters = 0;
  let rows = 0;
  const takeOver = async (ready: Row[], tokens: Promise<EncodedTexts>): Promise<void> => {
    const encoded = await tokens;
    const targets = ready.map((row, index) => {
      const words = encoded.words.subarray(encoded.offsets[index], encoded.offsets[index + 1]);
      return task.targets(
        row.labels.map((label) => labels.idOf(label) as number),
        words,
      );
    });
    encodedRows.append(ready, encoded, targets);
  };
  const flush = async (): Promise<void> => {
    const ready = chunk;
    chunk = [];
    letters = 0;
    // A file with bad rows is refused at its end, so its texts need no tokens.
    if (bad.count > 0) return;
    const tokens = encodeRows(ready, task, tokenizer);
    // Awaited one chunk later; until then a failure must not count as unhandled.
    tokens.catch(() => {});
    await encoding;
    encoding = takeOver(ready, tokens);
    encoding.catch(() => {});
  };
  for await (const row of readRows(path, {
    name: file,
    format,
    readRow: task.readRow,
    columns,
    onBadRow: bad.add,
  })) {
    rows += 1;
    const reason = labels.addAll(row.labels);
    if (reason !== undefined) {
      bad.add(row.line, reason);
      continue;
    }
    chunk.push(row);
    letters += row.text.length + (row.text2?.length ?? 0);
    if (chunk.length === chunkRows || letters >= chunkLetters) await flush();
  }
  await flush();
  await encoding;
  bad.refuse();
  if (rows > 0) return encodedRows;
  throw new TrainerError(
    'DataError',
    `${file} has no rows.`,
    'Give the split at least one row, or leave it out and use dataset.fractions.',
  );
}
