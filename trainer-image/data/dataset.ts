import { join } from 'node:path';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import { EncodedRows, type EncodedSplit, selectRows } from './encoded.ts';
import { Labels } from './labels.ts';
import { BadRows, type Row } from './row.ts';
import { placeOf, readRows } from './rows.ts';
import { drawSplits } from './split.ts';
import type { TextTokenizer } from './tokenizer.ts';

export type Splits = {
  train: EncodedSplit;
  validation?: EncodedSplit;
  test: EncodedSplit;
};
/** labels[i] is the name of label id i. */
export type Dataset = { labels: string[]; splits: Splits };

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
 * @throws TrainerError DataError that names file and line (row in a Parquet file) of bad rows, an empty split, or fewer than two labels.
 */
export async function loadDataset(
  config: RunConfig,
  directory: string,
  tokenizer: TextTokenizer,
): Promise<Dataset> {
  const { splits, fractions, labels: given } = config.dataset;
  if ((splits.test === undefined) === (fractions.test === undefined)) {
    throw new TrainerError(
      'ConfigError',
      'dataset.splits.test and dataset.fractions.test: exactly one of them is needed.',
      'Set one of them: the model is compared with the base model on held-out rows.',
    );
  }
  const labels = new Labels(given);
  const read = (file: string) => readSplit(file, { config, directory, tokenizer, labels });
  const trainFile = await read(splits.train);
  const order = labels.close();
  const whole = trainFile.finish(splits.train, tokenizer.padTokenId, order);
  const names = labels.names();
  refuseOneLabel(whole, names);
  const drawn = drawSplits(whole.labels, names.length, fractions, config.training.seed);
  const part = async (file: string | undefined, rows: Int32Array | undefined) => {
    if (file !== undefined) return (await read(file)).finish(file, tokenizer.padTokenId, labels.identity());
    return rows === undefined ? undefined : selectRows(whole, rows);
  };
  const validation = await part(splits.validation, drawn.validation);
  const test = await part(splits.test, drawn.test);
  return {
    labels: names,
    splits: {
      train: drawn.train.length === whole.rows ? whole : selectRows(whole, drawn.train),
      ...(validation === undefined ? {} : { validation }),
      test: test as EncodedSplit,
    },
  };
}

type Reading = { config: RunConfig; directory: string; tokenizer: TextTokenizer; labels: Labels };

/** Reads one file; the tokenizer works on one chunk while the next is read. */
async function readSplit(
  file: string,
  { config, directory, tokenizer, labels }: Reading,
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
    const encoded = await tokenizer.encode(ready.map((row) => row.text));
    encodedRows.append(
      ready,
      encoded,
      ready.map((row) => labels.idOf(row.label) as number),
    );
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
    columns,
    onBadRow: bad.add,
  })) {
    rows += 1;
    const reason = labels.add(row.label);
    if (reason !== undefined) {
      bad.add(row.line, reason);
      continue;
    }
    chunk.push(row);
    letters += row.text.length;
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

function refuseOneLabel(train: EncodedSplit, names: readonly string[]): void {
  const present = new Set(train.labels);
  if (present.size >= 2) return;
  const [only] = present;
  throw new TrainerError(
    'DataError',
    `All ${train.rows} rows of ${train.file} have the label ${JSON.stringify(names[only ?? 0])}.`,
    'A classifier needs rows with at least two labels. Check dataset.columns.label.',
  );
}
