/** SequenceClassification with several labels and with numbers: rows, batches, evaluation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Batch, padRows } from '../../../trainer-image/data/batch.ts';
import { EncodedRows, type EncodedSplit, selectRows } from '../../../trainer-image/data/encoded.ts';
import type { Content } from '../../../trainer-image/data/row.ts';
import { evaluate } from '../../../trainer-image/evaluate.ts';
import { multiLabelClassification as several } from '../../../trainer-image/tasks/multi-label-classification.ts';
import { regression } from '../../../trainer-image/tasks/regression.ts';
import type { Task } from '../../../trainer-image/tasks/task.ts';
import { scratchFolder } from '../data/scratch.ts';

const columns = { text: 'text', label: 'label' };
const read = (task: Task, label: unknown) => task.readRow({ text: 'a', label }, columns);

test('a list of labels is read, also an empty one', () => {
  assert.deepEqual(read(several, ['x', 2, true]), { text: 'a', labels: ['x', '2', 'true'] });
  assert.deepEqual(read(several, []), { text: 'a', labels: [] });
});

const badLists: [unknown, RegExp][] = [
  ['x', /^"label" is a string, not a list of labels$/],
  [null, /^"label" is null, not a list/],
  [['x', 0.5], /^element 2 of "label" is the number 0.5, not a string/],
  [['x', 'y', 'x'], /^"label" has "x" twice$/],
  [[' '], /^element 1 of "label" is empty$/],
];
for (const [label, reason] of badLists)
  test(`${JSON.stringify(label)} is no list of labels`, () =>
    assert.match(String(read(several, label)), reason));

test('numbers are read, also from the text of a CSV file', () => {
  for (const [given, value] of [
    [1.5, 1.5],
    [-3, -3],
    ['2.25', 2.25],
    [' 1e-3 ', 0.001],
    ['+.5', 0.5],
  ] as const)
    assert.deepEqual(read(regression, given), { text: 'a', labels: [], value });
  for (const given of ['', 'x', '1,5', '0x10', 'Infinity', null, true, [1]])
    assert.match(String(read(regression, given)), /^"label" is .*, not a finite number$/, String(given));
  assert.deepEqual(read(regression, -1e15), { text: 'a', labels: [], value: -1e15 });
  for (const given of [1e300, '-1e16'])
    assert.match(String(read(regression, given)), /^"label" is the number .* too large to learn from/);
});

test('a pair has two texts, both of them needed', () => {
  const pair = { ...columns, text2: 'answer' };
  const row = (answer: unknown) => regression.readRow({ text: 'q', answer, label: 1 }, pair);
  assert.deepEqual(row('a'), { text: 'q', text2: 'a', labels: [], value: 1 });
  assert.equal(row(' '), '"answer" is empty');
  assert.equal(row(undefined), '"answer" is a undefined, not a string');
});

/** One token a row; the token of row r is r + 1. */
function splitOf(contents: readonly Omit<Content, 'text'>[], names: readonly string[]): EncodedSplit {
  const rows = new EncodedRows(scratchFolder());
  const count = contents.length;
  rows.append(
    contents.map((content, row) => ({ ...content, text: `text ${row}`, line: row + 1 })),
    {
      ids: Int32Array.from({ length: count }, (_, row) => row + 1),
      typeIds: new Uint8Array(count),
      offsets: Int32Array.from({ length: count + 1 }, (_, row) => row),
      words: new Int32Array(),
      fullLengths: new Int32Array(count).fill(1),
      unknown: new Int32Array(count),
    },
    contents.map(({ labels }) => labels.map((label) => names.indexOf(label))),
  );
  const tokens = { padTokenId: 0, maskTokenId: undefined, vocabularySize: 100 };
  return rows.finish('test.jsonl', tokens, Int32Array.from(names.keys()));
}

/** Knows the logits of each row. */
const oracle = (logits: readonly number[][]) => ({
  predict({ indices }: Batch) {
    const outputs = [Float32Array.from([...indices].flatMap((row) => logits[row]!))];
    return { outputs, lossSum: 1, count: 2 };
  },
});
const options = (task: Task, labels: string[]) => ({
  task,
  labels,
  batchSize: 2,
  maxLength: 512,
  stopRequested: () => false,
});

const names = ['a', 'b', 'c'];
const tagged = splitOf([{ labels: ['a', 'c'] }, { labels: [] }, { labels: ['b'] }], names);

test('a batch has a one for each label of a row', () => {
  const { labels } = several.collate(padRows(tagged, Int32Array.of(2, 0, 1)), tagged);
  assert.deepEqual(labels, Float32Array.of(0, 1, 0, 1, 0, 1, 0, 0, 0));
  const part = selectRows(tagged, Int32Array.of(2), scratchFolder());
  assert.deepEqual(several.collate(padRows(part, Int32Array.of(0)), part).labels, Float32Array.of(0, 1, 0));
});

test('several labels: scores, predictions and the mistake that the model was most sure of', () => {
  const logits = [
    [2, -1, -0.5],
    [-3, -3, -3],
    [-1, 4, 3],
  ];
  const evaluated = evaluate(oracle(logits), tagged, options(several, names));
  const evaluation = { evaluated, split: tagged, labels: names };
  const scores = several.scores(evaluation);
  assert.equal(scores.accuracy, 1 / 3);
  assert.equal(scores.microF1, 4 / 6);
  assert.equal(scores.f1, 2 / 3);
  assert.equal(scores.loss, 0.5);
  assert.deepEqual(
    scores.classes?.map(({ name, support }) => [name, support]),
    [
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ],
  );
  for (const metric of ['accuracy', 'microF1', 'f1'] as const)
    assert.equal(several.scorer(evaluation, metric)([0, 1, 2]), scores[metric]);
  const softplus = (x: number) => Math.log1p(Math.exp(x));
  const loss = (softplus(-2) + softplus(-1) + softplus(0.5)) / 3;
  assert.ok(Math.abs(several.scorer(evaluation, 'loss')([0, 0]) - loss) < 1e-6);
  const first = several.prediction(evaluation, 0, { text: 't', labels: ['a', 'c'] });
  assert.deepEqual((first.line as { predicted: string[] }).predicted, ['a']);
  assert.equal(first.mistake?.label, 'c');
  assert.equal(first.mistake?.predicted, 'not c');
  const last = several.prediction(evaluation, 2, { text: 't', labels: ['b'] });
  assert.deepEqual([last.mistake?.label, last.mistake?.predicted], ['not c', 'c']);
  assert.equal(several.prediction(evaluation, 1, { text: 't', labels: [] }).mistake, undefined);
});

test('numbers: scores and predictions', () => {
  const values = [1, -2, 0.5];
  const split = splitOf(
    values.map((value) => ({ labels: [], value })),
    [],
  );
  const { labels } = regression.collate(padRows(split, Int32Array.of(2, 0)), split);
  assert.deepEqual(labels, Float32Array.of(0.5, 1));
  assert.deepEqual(selectRows(split, Int32Array.of(1), scratchFolder()).values.slice(), Float32Array.of(-2));
  const evaluated = evaluate(oracle([[1.5], [-1.5], [0.5]]), split, options(regression, []));
  const evaluation = { evaluated, split, labels: [] };
  const scores = regression.scores(evaluation);
  assert.ok(Math.abs(scores.rmse! - Math.sqrt(0.5 / 3)) < 1e-9);
  assert.ok(scores.spearman! > 1 - 1e-12);
  assert.equal(regression.scorer(evaluation, 'rmse')([2, 2]), 0);
  assert.equal(regression.scorer(evaluation, 'loss')([0, 1]), 0.25);
  const { line, mistake } = regression.prediction(evaluation, 1, { text: 't', labels: [], value: -2 });
  assert.deepEqual(line, { value: -2, predicted: -1.5, text: 't' });
  assert.deepEqual(mistake, { label: '-2', predicted: '-1.5', severity: 0.5 });
  assert.throws(() => regression.checkTrain(selectRows(split, Int32Array.of(0, 0), scratchFolder()), []), {
    category: 'DataError',
  });
});
