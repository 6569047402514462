import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { EncodedRows, type EncodedSplit } from '../../../trainer-image/data/encoded.ts';
import { dataReport } from '../../../trainer-image/data/report.ts';
import type { SlicedColumn } from '../../../trainer-image/data/slices.ts';
import { lengthRuleAccuracy, quantile } from '../../../trainer-image/data/statistics.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { scratchFolder } from './scratch.ts';

type Item = { text: string; label: number; full?: number; unknown?: number; ids?: number[] };
const maxLength = 10;

/** Tokens of a text: other texts have others. */
function idsOf({ text, full = 5, ids }: Item): number[] {
  if (ids !== undefined) return ids;
  const bytes = hash('sha256', text, 'buffer');
  return Array.from({ length: Math.min(full, maxLength) }, (_, place) => bytes.readUInt16LE(2 * place));
}

function splitOf(items: readonly Item[]): EncodedSplit {
  const rows = new EncodedRows(scratchFolder());
  const full = Int32Array.from(items, ({ full, ids }) => full ?? ids?.length ?? 5);
  const offsets = new Int32Array(items.length + 1);
  for (const [row, item] of items.entries()) offsets[row + 1] = (offsets[row] as number) + idsOf(item).length;
  const tokens = offsets[items.length] as number;
  rows.append(
    items.map(({ text, label }, row) => ({ line: row + 1, text, labels: [`${label}`] })),
    {
      ids: Int32Array.from(items.flatMap(idsOf)),
      typeIds: new Uint8Array(tokens),
      offsets,
      words: new Int32Array(),
      fullLengths: full,
      unknown: Int32Array.from(items, (item) => item.unknown ?? 0),
    },
    items.map((item) => [item.label]),
  );
  const tokenizer = { padTokenId: 0, maskTokenId: undefined, vocabularySize: 100 };
  return rows.finish('file', tokenizer, Int32Array.from([0, 1, 2]));
}

/** Different texts with the labels 0 and 1 in turn; `edit` changes single rows. */
const items = (count: number, name: string, edit: (row: number) => Partial<Item> = () => ({})): Item[] =>
  Array.from({ length: count }, (_, row) => ({ text: `${name} ${row}`, label: row % 2, ...edit(row) }));
function report(
  train: Item[],
  heldOut: Item[] = items(200, 'test'),
  labels = ['ham', 'spam'],
  slices: SlicedColumn[] = [],
) {
  const task = sequenceClassification;
  return dataReport({ task, labels, splits: { train: splitOf(train), test: splitOf(heldOut) }, slices });
}

test('clean data gives no warning', () => {
  const { splits, warnings, ...rest } = report(items(400, 'train'));
  assert.deepEqual(warnings, []);
  assert.deepEqual(rest, {
    labels: 2,
    tokens: { median: 5, p95: 5, max: 5 },
    leakedRows: 0,
    nearLeakedRows: 0,
    conflictingRows: 0,
    unknownTokenShare: 0,
    lengthRuleAccuracy: 0.5,
  });
  const { digest, ...train } = splits.train;
  assert.match(digest, /^sha256:/);
  assert.deepEqual(train, {
    rows: 400,
    truncatedRows: 0,
    duplicateRows: 0,
    nearDuplicateRows: 0,
    labels: [
      ['ham', 200],
      ['spam', 200],
    ],
  });
});

/** Texts of 60 tokens from one template, of which `changed` tokens are their own. */
const template = (count: number, name: string, changed: number): Item[] =>
  items(count, name, (row) => ({
    ids: Array.from({ length: 60 }, (_, place) =>
      place >= 10 && place < 10 + changed ? 20_000 + 100 * row + place + name.length * 100_000 : place,
    ),
  }));

const rare = (every: number) => (row: number) => ({ label: row % every === 0 ? 1 : 0 });
const cases: Record<string, { given: Parameters<typeof report>; want: RegExp }> = {
  'test rows that are also in train, whatever their case and spaces': {
    given: [[...items(400, 'train'), { text: ' TEST\n\t3', label: 1 }]],
    want: /^1 of 200 test rows are also in the train split/,
  },
  'one text with two labels': {
    given: [[...items(400, 'train'), { text: 'train 0', label: 1 }]],
    want: /^2 train rows have a text that also occurs with another label/,
  },
  'a label that train does not have': {
    given: [items(400, 'train'), items(200, 'test', (row) => ({ label: row % 3 })), ['a', 'b', 'c']],
    want: /^The train split has no row with "c": the model cannot learn them/,
  },
  'a label that test does not have': {
    given: [items(400, 'train'), items(200, 'test', () => ({ label: 0 }))],
    want: /^The test split has no row with "spam"/,
  },
  'few test rows': {
    given: [items(400, 'train'), items(99, 'test')],
    want: /^The test split has only 99 rows/,
  },
  'a slice with few test rows': {
    given: [
      items(400, 'train'),
      items(200, 'test'),
      ['ham', 'spam'],
      [
        {
          column: 'language',
          values: ['de', 'en'],
          of: Int32Array.from({ length: 200 }, (_, row) => (row < 29 ? 0 : 1)),
        },
      ],
    ],
    want: /^Slices of "language" with fewer than 30 test rows: "de"\. They count neither/,
  },
  'length that gives the label away': {
    given: [items(400, 'train', (row) => ({ full: row % 2 === 0 ? 4 : 9 }))],
    want: /^Length alone gives the label for 100.0 % of the train rows \(guessing the largest label: 50.0 %\)/,
  },
  'a rare label': {
    given: [items(400, 'train', rare(25))],
    want: /unbalanced: "spam" has 16 of 400 train rows, "ham" 384/,
  },
  'more than one row in five cut': {
    given: [items(400, 'train', (row) => ({ full: row % 4 < 1 ? 11 : 10 }))],
    want: /^25.0 % of the train rows are longer than training.maxLength/,
  },
  'unknown tokens': {
    given: [items(400, 'train', (row) => ({ unknown: row % 10 === 0 ? 1 : 0 }))],
    want: /^2.0 % of the tokens are unknown/,
  },
  'repeated texts': {
    given: [[...items(400, 'train'), ...items(10, 'Train')]],
    want: /^10 of 410 train rows repeat an earlier text/,
  },
  'texts that differ in one word': {
    given: [[...items(400, 'train'), ...template(30, 'a', 1)]],
    want: /^29 of 430 train rows are nearly the same as an earlier one/,
  },
  'test rows that differ in one word from train': {
    given: [
      [...items(400, 'train'), ...template(1, 'a', 1)],
      [...items(196, 'test'), ...template(4, 'bb', 1)],
    ],
    want: /^4 of 200 test rows are nearly the same as a train row/,
  },
};
for (const [name, { given, want }] of Object.entries(cases))
  test(`warned: ${name}`, () => {
    const { warnings } = report(...given);
    assert.equal(warnings.length, 1, warnings.join('\n'));
    assert.match(warnings[0] ?? '', want);
  });

const quiet: Record<string, Item[]> = {
  'one row in five cut': items(400, 'train', (row) => ({ full: row % 5 === 0 ? 11 : 10 })),
  'a label with one row in twelve': items(396, 'train', rare(12)).filter((_, row) => row % 12 < 11),
  'length that says a little': items(400, 'train', (row) => ({
    full: (row % 2 === 0) === row % 20 < 13 ? 4 : 9,
  })),
  'few texts that differ in one word': [...items(400, 'train'), ...template(21, 'a', 1)],
  'texts of one template that differ in a third': [...items(400, 'train'), ...template(100, 'a', 20)],
  'few repeated texts': [...items(400, 'train'), ...items(4, 'train')],
};
for (const [name, train] of Object.entries(quiet))
  test(`not warned: ${name}`, () => assert.deepEqual(report(train).warnings, []));

test('counts of a split with everything in it', () => {
  const train = splitOf(items(4, 'a'));
  const digest = hash('sha256', 'a 0', 'buffer');
  assert.deepEqual([...train.textKeys.slice(0, 2)], [digest.readUInt32LE(0), digest.readUInt32LE(4)]);
  const { leakedRows, conflictingRows, splits } = report(
    [...items(4, 'a'), { text: 'a 0', label: 1 }, { text: 'A  0 ', label: 0, full: 12 }],
    [...items(2, 'a'), ...items(1, 'b')],
  );
  assert.equal(leakedRows, 2);
  assert.equal(conflictingRows, 3);
  assert.equal(splits.train.duplicateRows, 2);
  assert.equal(splits.train.nearDuplicateRows, 0);
  assert.equal(splits.train.truncatedRows, 1);
});

test('validation rows that are in train, or nearly, are told as well', () => {
  const train = splitOf([...items(400, 'train'), ...template(1, 'a', 1)]);
  const validation = splitOf([...items(90, 'valid'), ...items(1, 'train'), ...template(9, 'bb', 1)]);
  const test = splitOf(items(200, 'test'));
  const splits = { train, validation, test };
  const { warnings } = dataReport({
    task: sequenceClassification,
    labels: ['ham', 'spam'],
    splits,
    slices: [],
  });
  assert.deepEqual(
    warnings.map((warning) => warning.slice(0, 58)),
    [
      '1 of 100 validation rows are also in the train split: over',
      '9 of 100 validation rows are nearly the same as a train ro',
    ],
  );
});

test('every warning fits into status with room for large counts', () => {
  const rows = items(400, 'train', (row) => ({ label: row % 50 === 0 ? 1 : 0 }));
  for (const { given } of Object.values(cases))
    for (const warning of report(...given).warnings) assert.ok(warning.length < 240, warning);
  assert.ok(report(rows).warnings.length > 0);
});

test('quantiles are nearest ranks', () => {
  const values = Int32Array.from({ length: 100 }, (_, index) => index + 1);
  assert.deepEqual(
    [0.5, 0.95, 1].map((part) => quantile(values, part)),
    [50, 95, 100],
  );
  assert.equal(quantile(new Int32Array(0), 0.5), 0);
  assert.equal(quantile(Int32Array.from([7]), 0.5), 7);
});

test('the best length rule is found by trying all of them', () => {
  let state = 1;
  const next = (bound: number) => {
    state = (state * 48271) % 2147483647;
    return state % bound;
  };
  for (let round = 0; round < 200; round++) {
    const data = items(1 + next(12), 'x', () => ({ label: next(3), full: 1 + next(5) }));
    const most = (rows: Item[]) =>
      Math.max(...[0, 1, 2].map((label) => rows.filter((row) => row.label === label).length));
    const best = Math.max(
      ...[0, 1, 2, 3, 4, 5].map(
        (limit) =>
          most(data.filter(({ full = 0 }) => full <= limit)) +
          most(data.filter(({ full = 0 }) => full > limit)),
      ),
    );
    assert.equal(lengthRuleAccuracy(splitOf(data), 3), best / data.length);
  }
});
