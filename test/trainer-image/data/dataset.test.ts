import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunConfig } from '../../../crds/trainer-contract.ts';
import { datasetFiles, loadDataset } from '../../../trainer-image/data/dataset.ts';
import { type EncodedSplit, idsOf } from '../../../trainer-image/data/encoded.ts';
import { loadTokenizer, type TextTokenizer } from '../../../trainer-image/data/tokenizer.ts';
import { taskOf } from '../../../trainer-image/tasks/tasks.ts';
import { runConfigOf } from './run-config.ts';
import { scratchFolder } from './scratch.ts';
import { tinyConfig, writeTinyModel } from './tiny-model.ts';

let folder: string;
let tokenizer: TextTokenizer;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-dataset-'));
  await writeTinyModel(join(folder, 'model'));
  tokenizer = await loadTokenizer(join(folder, 'model'), {
    maxLength: 16,
    vocabularySize: tinyConfig.vocab_size,
    maxPositions: 64,
  });
});
after(() => rm(folder, { recursive: true }));

type Files = Record<string, [text: string, label: unknown][] | string>;
async function load(files: Files, change?: (config: RunConfig) => void, modelLabels?: string[]) {
  for (const [name, content] of Object.entries(files)) {
    const lines =
      typeof content === 'string'
        ? content
        : content.map(([text, label]) => JSON.stringify({ text, label })).join('\n');
    await writeFile(join(folder, name), lines);
  }
  const config = runConfigOf({ model: folder, dataset: folder, output: folder }, change);
  return loadDataset(config, taskOf(config), {
    directory: folder,
    encoded: scratchFolder(),
    tokenizer,
    ...(modelLabels && { modelLabels }),
  });
}
const train: [string, unknown][] = [
  ['free money', 'spam'],
  ['lunch at noon', 'ham'],
  ['cheap money now', 'spam'],
];
const testRows: [string, unknown][] = [['meeting at noon', 'ham']];

test('labels are sorted and rows keep their order and lines', async () => {
  const { labels, splits } = await load({ 'train.jsonl': train, 'test.jsonl': testRows });
  assert.deepEqual(labels, ['ham', 'spam']);
  assert.deepEqual(splits.train.labels.slice(), Int32Array.from([1, 0, 1]));
  assert.deepEqual(splits.train.lines.slice(), Int32Array.from([1, 2, 3]));
  assert.deepEqual(splits.test.labels.slice(), Int32Array.from([0]));
  assert.equal(splits.validation, undefined);
});

test('given labels keep their order', async () => {
  const { labels, splits } = await load({ 'train.jsonl': train, 'test.jsonl': testRows }, (config) => {
    config.dataset.labels = ['spam', 'other', 'ham'];
  });
  assert.deepEqual(labels, ['spam', 'other', 'ham']);
  assert.deepEqual(splits.train.labels.slice(), Int32Array.from([0, 2, 0]));
});

test('labels that are integers are sorted by value, others by code point', async () => {
  const rows = (labels: unknown[]): [string, unknown][] => labels.map((label) => ['free', label]);
  const labelsOf = async (labels: unknown[]) =>
    (await load({ 'train.jsonl': rows(labels), 'test.jsonl': rows(labels) })).labels;
  assert.deepEqual(await labelsOf([10, 9, '2', -1]), ['-1', '2', '9', '10']);
  assert.deepEqual(await labelsOf(['b', 'a', 'B', '10', '9', '\u{1f600}', '\uffee']), [
    '10',
    '9',
    'B',
    'a',
    'b',
    '\uffee',
    '\u{1f600}',
  ]);
  assert.deepEqual(await labelsOf([true, false]), ['false', 'true']);
});

test('labels take the order of the model where it has the same ones, if need be in another case', async () => {
  const files: Files = { 'train.jsonl': train, 'test.jsonl': testRows };
  const labelsFor = async (model: string[], change?: (config: RunConfig) => void) =>
    (await load(files, change, model)).labels;
  assert.deepEqual(await labelsFor(['spam', 'ham']), ['spam', 'ham']);
  assert.deepEqual(await labelsFor(['SPAM', 'Ham']), ['spam', 'ham']);
  for (const others of [['spam'], ['spam', 'eggs'], ['spam', 'ham', 'eggs'], ['spam', 'SPAM'], []])
    assert.deepEqual(await labelsFor(others), ['ham', 'spam'], others.join());
  const given = (config: RunConfig) => {
    config.dataset.labels = ['ham', 'spam'];
  };
  assert.deepEqual(await labelsFor(['spam', 'ham'], given), ['ham', 'spam']);
  const both: Files = {
    'train.jsonl': [
      ['free', 'b'],
      ['now', 'B'],
    ],
    'test.jsonl': [['at', 'b']],
  };
  assert.deepEqual((await load(both, undefined, ['b', 'B'])).labels, ['b', 'B']);
  assert.deepEqual((await load(both, undefined, ['B', 'x'])).labels, ['B', 'b']);
});

test('a label outside the list is named by file and line, in every split', async () => {
  const files: Files = { 'train.jsonl': train, 'test.jsonl': [...testRows, ['x', 'Spam'], ['y', 'eggs']] };
  await assert.rejects(load(files), {
    category: 'DataError',
    message:
      'test.jsonl line 2: the label "Spam" is none of "ham", "spam"; test.jsonl line 3: the label "eggs" is none of "ham", "spam" (2 bad rows in test.jsonl).',
  });
  await assert.rejects(
    load({ 'train.jsonl': train, 'test.jsonl': testRows }, (config) => {
      config.dataset.labels = ['spam', 'eggs'];
    }),
    { category: 'DataError', message: /^train.jsonl line 2: the label "ham" is none of/ },
  );
});

test('bad rows in a long file are all counted', async () => {
  const rows = Array.from({ length: 5000 }, (_, row) =>
    JSON.stringify({ text: row % 1000 === 999 ? '' : 'free', label: row % 2 }),
  );
  await assert.rejects(load({ 'train.jsonl': rows.join('\n') }), {
    category: 'DataError',
    message: /^train.jsonl line 1000: "text" is empty; .* line 5000: .* \(5 bad rows in train.jsonl\)/,
  });
});

test('rows of many chunks have the tokens of their own text', async () => {
  const rows = Array.from({ length: 2500 }, (_, row): [string, unknown] => [
    `free ${'now '.repeat(row % 7)}${row}`,
    row % 2,
  ]);
  const { train } = (await load({ 'train.jsonl': rows, 'test.jsonl': rows })).splits;
  assert.equal(train.rows, 2500);
  for (const row of [0, 999, 1000, 1001, 2000, 2499]) {
    const alone = await tokenizer.encode([rows[row]?.[0] ?? '']);
    assert.deepEqual(idsOf(train, row), alone.ids);
    assert.equal(train.lines.at(row), row + 1);
  }
});

test('an empty split, one label, too many labels are DataError', async () => {
  await assert.rejects(load({ 'train.jsonl': train, 'test.jsonl': '\n\n' }), {
    category: 'DataError',
    message: 'test.jsonl has no rows.',
  });
  await assert.rejects(load({ 'train.jsonl': '', 'test.jsonl': testRows }), {
    message: 'train.jsonl has no rows.',
  });
  await assert.rejects(load({ 'train.jsonl': train.slice(0, 1), 'test.jsonl': testRows }), {
    category: 'DataError',
    message: 'All 1 rows of train.jsonl have the label "spam".',
  });
  await assert.rejects(
    load({ 'train.jsonl': '{"text": "a", "label": []}', 'test.jsonl': testRows }, (config) => {
      config.problemType = 'MultiLabelClassification';
    }),
    { category: 'DataError', message: 'None of the 1 rows of train.jsonl has a label.' },
  );
  await assert.rejects(
    load({ 'train.jsonl': Array.from({ length: 300 }, (_, row) => ['free', row]), 'test.jsonl': testRows }),
    { category: 'DataError', message: /more than 256 different labels/ },
  );
});

test('fractions of the train file replace files', async () => {
  const rows: [string, unknown][] = Array.from({ length: 40 }, (_, row) => [`free ${row}`, row % 4]);
  const drawn = () =>
    load({ 'train.jsonl': rows }, (config) => {
      config.dataset.splits = { train: 'train.jsonl' };
      config.dataset.fractions = { validation: 0.1, test: 0.2 };
    });
  const { splits } = await drawn();
  assert.deepEqual([splits.train.rows, splits.validation?.rows, splits.test.rows], [28, 4, 8]);
  const lines = [splits.train, splits.validation, splits.test].flatMap((split) => [...(split?.lines ?? [])]);
  assert.equal(new Set(lines).size, 40);
  const again = (await drawn()).splits;
  const contentOf = (split: EncodedSplit | undefined) => [split?.digest, split?.offsets, split?.ids.slice()];
  assert.deepEqual(
    [again.train, again.validation, again.test].map(contentOf),
    [splits.train, splits.validation, splits.test].map(contentOf),
  );
});

test('the digest of a split follows its rows alone', async () => {
  const digest = async (rows: [string, unknown][]) =>
    (await load({ 'train.jsonl': rows, 'test.jsonl': testRows })).splits.train.digest;
  const first = await digest(train);
  assert.match(first, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await digest(train), first);
  assert.notEqual(await digest(train.toReversed()), first);
  assert.notEqual(await digest([...train.slice(0, 2), ['cheap money now ', 'spam']]), first);
  assert.notEqual(await digest([...train.slice(0, 2), ['cheap money now', 'ham']]), first);
  const csv = 'label,text\nspam,free money\r\nham,lunch at noon\nspam,"cheap money now"\n';
  const { splits } = await load({ 'train.csv': csv, 'test.csv': csv }, (config) => {
    config.dataset.format = 'CSV';
    config.dataset.splits = { train: 'train.csv', test: 'test.csv' };
  });
  assert.equal(splits.train.digest, first);
});

test('exactly one source of held-out rows is needed', async () => {
  await assert.rejects(
    load({ 'train.jsonl': train }, (config) => {
      config.dataset.splits = { train: 'train.jsonl' };
    }),
    { category: 'ConfigError', message: /exactly one of them/ },
  );
});

test('each file is fetched once', () => {
  const folders = { model: 'm', dataset: 'd', output: 'o' };
  const config = runConfigOf(folders, ({ dataset }) => {
    dataset.splits = { train: 'a', validation: 'b', test: 'b' };
  });
  assert.deepEqual(datasetFiles(config), ['a', 'b']);
});
