/** Parquet files as pyarrow and pandas write them (test/golden/parquet.py), and damaged ones. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadDataset } from '../../../trainer-image/data/dataset.ts';
import { readParquet } from '../../../trainer-image/data/parquet.ts';
import type { Row } from '../../../trainer-image/data/row.ts';
import { readRows } from '../../../trainer-image/data/rows.ts';
import { loadTokenizer } from '../../../trainer-image/data/tokenizer.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import golden from '../../golden/parquet/expected.json' with { type: 'json' };
import { runConfigOf } from './run-config.ts';
import { scratchFolder } from './scratch.ts';
import { tinyConfig, writeTinyModel } from './tiny-model.ts';

const goldenFile = (name: string) => join(import.meta.dirname, '../../golden/parquet', `${name}.parquet`);
const columns = ['text', 'label'];
type Values = Readonly<Record<string, unknown>>;

async function valuesOf(
  path: string,
  heapMiB?: number,
): Promise<{ values: Values[]; bad: [number, string][] }> {
  const bad: [number, string][] = [];
  const onBadRow = (line: number, reason: string) => bad.push([line, reason]);
  const records = await Array.fromAsync(readParquet(path, { name: 'f.parquet', columns, onBadRow }, heapMiB));
  return { values: records.map(({ values }) => values), bad };
}

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-parquet-'));
});
after(() => rm(folder, { recursive: true }));

const exact = Object.entries<Values[]>(golden.rows).filter(([name]) => !['bytes', 'integers'].includes(name));
for (const [name, want] of exact)
  test(`${name}: values are those that pyarrow reads`, async () => {
    const { values, bad } = await valuesOf(goldenFile(name));
    assert.deepEqual(
      values,
      want.map(({ text, label }) => ({ text, label })),
    );
    assert.deepEqual(bad, []);
  });

test('integers beyond the exact range of numbers come as their digits', async () => {
  const { values } = await valuesOf(goldenFile('integers'));
  assert.deepEqual(
    values.map(({ label }) => label),
    [1, 0, -5, '9007199254740992', '4611686018427387904', 1, 0],
  );
});

test('bytes that are no UTF-8 are a bad row', async () => {
  const { values, bad } = await valuesOf(goldenFile('bytes'));
  assert.deepEqual(values, [{ text: 'plain', label: 'a' }]);
  assert.deepEqual(bad, [[2, 'not valid UTF-8']]);
});

test('long texts of a small file come in several blocks, and none above the limit', async () => {
  const { values, bad } = await valuesOf(goldenFile('long-texts'));
  assert.deepEqual(
    values.map(({ text }) => String(text).length),
    [...Array(5).fill(3_000_000), 5],
  );
  assert.deepEqual(bad, [[6, 'longer than 10485760 bytes']]);
});

const refused: Record<string, RegExp> = {
  struct:
    /^f.parquet: the column "label" is nested; strings, integers, booleans and lists of these can be read\.$/,
  'lists-of-lists': /^f.parquet: the column "text" is nested/,
  time: /^f.parquet: the column "label" has the type TIMESTAMP/,
  lz4: /^f.parquet: it is damaged or uses something that is not supported: .*LZ4/,
};
for (const [name, message] of Object.entries(refused))
  test(`${name} is refused in words`, () =>
    assert.rejects(valuesOf(goldenFile(name)), { category: 'DataError', message, hint: /./ }));

test('a missing column names those that exist', async () => {
  const read = readParquet(goldenFile('pandas'), { name: 'f', columns: ['message'], onBadRow: assert.fail });
  await assert.rejects(Array.fromAsync(read), {
    category: 'DataError',
    message: 'f: no column "message"; the columns are "id", "text", "label".',
  });
});

test('what is cut off, empty or something else is a DataError', async () => {
  const file = join(folder, 'damaged');
  const damage: Record<string, () => Promise<void>> = {
    'cut off': async () => {
      await copyFile(goldenFile('zstd'), file);
      await truncate(file, 500);
    },
    empty: () => writeFile(file, ''),
    text: () => writeFile(file, 'text,label\na,b\n'),
    'changed inside': async () => {
      const bytes = await readFile(goldenFile('zstd'));
      await writeFile(file, bytes.fill(0x55, 30, 60));
    },
  };
  for (const [what, write] of Object.entries(damage)) {
    await write();
    await assert.rejects(
      valuesOf(file),
      { category: 'DataError', message: /^f.parquet: it is damaged/ },
      what,
    );
  }
});

/** A Parquet file whose single page claims a run of 2^30 equal definition levels: 13 bytes that fill any memory. */
async function writeEndlessRun(file: string): Promise<void> {
  const bytes = await readFile(goldenFile('none'));
  // The levels of the first page: their length (2), a run of 7 (14 = 7 << 1), the level 1.
  const levels = bytes.indexOf(Buffer.from([2, 0, 0, 0, 14, 1]));
  assert.ok(levels > 0);
  // The run's length as a varint goes on into what was its level and the first text.
  bytes.set([0xfe, 0xff, 0xff, 0xff, 0x07, 1], levels + 4);
  await writeFile(file, bytes);
}

test('a run without end fills the memory of its own thread alone', async () => {
  const file = join(folder, 'endless');
  await writeEndlessRun(file);
  await assert.rejects(valuesOf(file, 64), {
    category: 'DataError',
    message: 'f.parquet: a row group cannot be decoded with 64 MiB of memory: it is too large or damaged.',
  });
});

// The byte of the file that is the length of a text, and what it becomes.
const tooLong = [
  ['brotli', 202, 76],
  ['zstd', 106, 251],
] as const;
for (const [name, at, length] of tooLong)
  test(`${name}: a text that says it is longer than its page is refused, not filled from other memory`, async () => {
    const bytes = await readFile(goldenFile(name));
    bytes[at] = length;
    const file = join(folder, 'too-long');
    await writeFile(file, bytes);
    await assert.rejects(valuesOf(file), { category: 'DataError', message: /^f.parquet: it is damaged/ });
  });

test('rows of a dataset are counted by rows, and bad ones named', async () => {
  await writeTinyModel(join(folder, 'model'));
  const tokenizer = await loadTokenizer(join(folder, 'model'), {
    maxLength: 16,
    vocabularySize: tinyConfig.vocab_size,
    maxPositions: 64,
  });
  const load = async (train: string) => {
    await copyFile(goldenFile(train), join(folder, 'train.parquet'));
    await copyFile(goldenFile('none'), join(folder, 'test.parquet'));
    const config = runConfigOf({ model: folder, dataset: folder, output: folder }, ({ dataset }) => {
      dataset.format = 'Parquet';
      dataset.splits = { train: 'train.parquet', test: 'test.parquet' };
    });
    return loadDataset(config, sequenceClassification, {
      directory: folder,
      encoded: scratchFolder(),
      tokenizer,
    });
  };
  await assert.rejects(load('missing'), {
    category: 'DataError',
    message:
      'train.parquet row 1: "text" is null, not a string; train.parquet row 5: "text" is empty; train.parquet row 7: "label" is null, not a string, an integer or a boolean (3 bad rows in train.parquet).',
  });
  await assert.rejects(load('lists'), { message: /^train.parquet row 1: "text" is a list, not a string/ });
});

test('a reader that is left early ends its thread', async () => {
  const rows: Row[] = [];
  const { readRow } = sequenceClassification;
  const options = { name: 'f', columns: { text: 'text', label: 'label' }, readRow, onBadRow: assert.fail };
  for await (const row of readRows(goldenFile('row-groups'), { ...options, format: 'Parquet' })) {
    rows.push(row);
    break;
  }
  assert.deepEqual(rows, [{ line: 1, text: 'free money now', labels: ['spam'] }]);
});
