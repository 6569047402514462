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

export type Splits = {
  train: EncodedSplit;
  validation?: EncodedSplit;
  test: EncodedSplit;
};
/** labels[i] is the name of label id i; `slices` are those of the test split. */
export type Dataset = { task: Task; labels: string[]; splits: Splits; slices: SlicedColumn[] };

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

/**
 * Reads and encodes the splits from the downloaded files below `directory`.
 * @throws TrainerError DataError that names file and line (row in a Parquet file) of bad rows, an empty split, or one
 * that teaches nothing; ModelError when the tokenizer lacks what the task needs.
 */
export async function loadDataset(
  config: RunConfig,
  task: Task,
  { directory, tokenizer }: { directory: string; tokenizer: TextTokenizer },
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
  const labels = new Labels(given);
  const read = (file: string) => readSplit(file, { config, task, directory, tokenizer, labels });
  const trainFile = await read(splits.train);
  const order = labels.close();
  const whole = trainFile.finish(splits.train, tokenizer, order);
  const names = labels.names();
  task.checkTrain(whole, names);
  const strata = task.labelled === 'row' ? whole.labels : new Int32Array(whole.rows);
  const drawn = drawSplits(strata, Math.max(1, names.length), fractions, config.training.seed);
  const part = async (file: string | undefined, rows: Int32Array | undefined) => {
    if (file !== undefined) return (await read(file)).finish(file, tokenizer, labels.identity());
    return rows === undefined ? undefined : selectRows(whole, rows);
  };
  const validation = await part(splits.validation, drawn.validation);
  const test = (await part(splits.test, drawn.test)) as EncodedSplit;
  const slices = await readSlices(test, config.dataset, directory);
  refuseUnmeasurable(slices, config.gate);
  return {
    task,
    labels: names,
    splits: {
      train: drawn.train.length === whole.rows ? whole : selectRows(whole, drawn.train),
      ...(validation === undefined ? {} : { validation }),
      test,
    },
    slices,
  };
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
  config: RunConfig;
  task: Task;
  directory: string;
  tokenizer: TextTokenizer;
  labels: Labels;
};

/** Reads one file; the tokenizer works on one chunk while the next is read. */
async function readSplit(
  file: string,
  { config, task, directory, tokenizer, labels }: Reading,
): Promise<EncodedRows> {
  const { format, columns } = config.dataset;
  const bad = new BadRows(file, placeOf(format));
  const encodedRows = new EncodedRows();
  let encoding = Promise.resolve();
  let chunk: Row[] = [];
  let letters = 0;
  let rows = 0;
  const encodeChunk = async (ready: Row[]): Promise<void> => {
    // A file with bad rows is refused at its end, so its texts need no tokens.
    if (bad.count > 0) return;
    const encoded = await encodeRows(ready, task, tokenizer);
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
    await encoding;
    encoding = encodeChunk(chunk);
    // Awaited before the next chunk; until then a failure must not count as unhandled.
    encoding.catch(() => {});
    chunk = [];
    letters = 0;
  };
  for await (const row of readRows(join(directory, file), {
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
