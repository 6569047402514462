import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { padRows } from '../../../trainer-image/data/batch.ts';
import {
  EncodedRows,
  type EncodedSplit,
  idsOf,
  labelsOf,
  wordsOf,
} from '../../../trainer-image/data/encoded.ts';
import { loadTokenizer } from '../../../trainer-image/data/tokenizer.ts';
import { evaluate } from '../../../trainer-image/evaluate.ts';
import { tokenClassification as task } from '../../../trainer-image/tasks/token-classification.ts';
import { miniLmDirectory } from '../../golden/minilm.ts';
import { scratchFolder } from '../data/scratch.ts';
import { tasksGolden } from './golden.ts';

const { tags, maxLength, rows } = tasksGolden.wordLabels;
const tokenizer = await loadTokenizer(await miniLmDirectory(() => undefined), {
  maxLength,
  vocabularySize: 30_522,
  maxPositions: 512,
  pretokenized: true,
});

async function splitOf(items: readonly { words: string[]; tagIds: number[] }[], names: readonly string[]) {
  const encoded = await tokenizer.encodeWords(items.map(({ words }) => words));
  const targets = items.map(({ tagIds }, row) =>
    task.targets(tagIds, encoded.words.subarray(encoded.offsets[row], encoded.offsets[row + 1])),
  );
  const encodedRows = new EncodedRows(scratchFolder());
  encodedRows.append(
    items.map(({ words, tagIds }, row) => ({
      line: row + 1,
      text: words.join(' '),
      words,
      labels: tagIds.map((id) => names[id]!),
    })),
    encoded,
    targets,
  );
  return encodedRows.finish('test.jsonl', tokenizer, Int32Array.from(names.keys()));
}

test('tokens and labels of words are those of run_ner, and what it cuts off is counted', async () => {
  const split = await splitOf(rows, tags);
  for (const [row, want] of rows.entries()) {
    assert.deepEqual([...idsOf(split, row)], want.inputIds);
    assert.deepEqual([...labelsOf(split, row)], want.labels);
    const labelled = want.labels.filter((label) => label >= 0).length;
    assert.equal(split.lostLabels.at(row), want.tagIds.length - labelled);
  }
  assert.ok(
    [...split.lostLabels].some((lost) => lost > 0),
    'a row is cut',
  );
  assert.ok(
    rows.some(({ labels, words }) => labels.length - 2 > words.length),
    'a word has several tokens',
  );
});

test('logits are wanted of the first token of each word alone', async () => {
  const split = await splitOf(rows, tags);
  const padded = padRows(split, Int32Array.of(2, 0));
  const { labels, positions } = task.collate(padded, split);
  assert.deepEqual([...labels], [...rows[2]!.tagIds, ...rows[0]!.tagIds]);
  const wanted = [rows[2]!, rows[0]!].flatMap((row, index) =>
    row.labels.flatMap((label, token) => (label < 0 ? [] : [index * padded.length + token])),
  );
  assert.deepEqual([...positions!], wanted);
});

type Case = { name: string; actual: string[][]; predicted: string[][] } & Record<string, unknown>;
const file = new URL('../../golden/entities.json', import.meta.url);
const { cases } = JSON.parse(await readFile(file, 'utf8')) as { cases: Case[] };

/** A model that says of each word what the case has as its prediction. */
function oracle(split: EncodedSplit, names: readonly string[], { predicted }: Case) {
  return {
    predict(batch: ReturnType<typeof task.collate>) {
      const logits = new Float32Array(batch.labels.length * names.length);
      for (const [index, position] of batch.positions!.entries()) {
        const row = batch.indices[Math.floor(position / batch.length)]!;
        const word = wordsOf(split, row)[position % batch.length]!;
        logits[index * names.length + names.indexOf(predicted[row]![word]!)] = 3;
      }
      return { outputs: [logits], lossSum: 0, count: 1 };
    },
  };
}

for (const want of cases.filter(({ strictF1 }) => strictF1 !== undefined)) {
  test(`an evaluation has seqeval's figures, and the bootstrap's too: ${want.name}`, async () => {
    const names = [...new Set([...want.actual, ...want.predicted].flat())].sort();
    const items = want.actual.map((row) => ({
      words: row.map((_, word) => 'abcdefghijkl'.charAt(word)),
      tagIds: row.map((tag) => names.indexOf(tag)),
    }));
    const split = await splitOf(items, names);
    const options = { task, labels: names, batchSize: 7, maxLength, stopRequested: () => false };
    const evaluated = evaluate(oracle(split, names, want), split, options);
    const evaluation = { evaluated, split, labels: names };
    const scores = task.scores(evaluation);
    for (const metric of ['precision', 'recall', 'f1', 'strictF1', 'accuracy'] as const) {
      const expected = want[metric] as number;
      assert.ok(Math.abs(scores[metric]! - expected) < 1e-12, `${metric}: ${scores[metric]} not ${expected}`);
      assert.equal(task.scorer(evaluation, metric)([...items.keys()]), scores[metric], metric);
    }
    assert.deepEqual(
      Object.fromEntries(scores.classes!.map((one) => [one.name, one.support])),
      Object.fromEntries(
        Object.entries(want['types'] as Record<string, number[]>).map(([type, row]) => [type, row[3]]),
      ),
    );
  });
}

test('a prediction names the tag of each word, null where it was cut off, and the most confident mistake', async () => {
  const words = ['Ada', 'met', 'antidisestablishmentarianism', ...new Array<string>(20).fill('a')];
  const actual = words.map((_, word) => (word === 0 ? 'B-PER' : 'O'));
  const said = words.map((_, word) => (word === 2 ? 'B-PER' : 'O'));
  const split = await splitOf([{ words, tagIds: actual.map((tag) => tags.indexOf(tag)) }], tags);
  const kept = words.length - split.lostLabels.at(0);
  assert.ok(kept > 3 && kept < words.length, `${kept} words are kept`);
  const predict = oracle(split, tags, { name: '', actual: [], predicted: [said] });
  const options = { task, labels: tags, batchSize: 1, maxLength, stopRequested: () => false };
  const evaluation = { evaluated: evaluate(predict, split, options), split, labels: tags };
  const { line, mistake } = task.prediction(evaluation, 0, { text: '', words, labels: actual });
  const predicted = said.map((tag, word) => (word < kept ? tag : null));
  assert.deepEqual(line, { tokens: words, tags: actual, predicted });
  assert.match(mistake!.label, /^(Ada: B-PER|antidisestablishmentarianism: O)$/);
  assert.ok(mistake!.severity > 0.8 && mistake!.severity < 1);
});

const columns = { tokens: 'words', tags: 'ner' };
const bad: Record<string, [values: Record<string, unknown>, reason: RegExp]> = {
  'no list': [{ words: 'Ada met', ner: ['O'] }, /^"words" is a string, not a list of strings$/],
  'no list of tags': [{ words: ['Ada'], ner: null }, /^"ner" is null, not a list of strings$/],
  'an empty list': [{ words: [], ner: [] }, /^"words" is empty$/],
  'more tags than words': [{ words: ['Ada'], ner: ['O', 'O'] }, /^"words" has 1 words and "ner" 2 tags$/],
  'a word that is a number': [
    { words: ['Ada', 3], ner: ['O', 'O'] },
    /^element 2 of "words" is the number 3, not a string$/,
  ],
  'an empty word': [{ words: [' '], ner: ['O'] }, /^element 1 of "words" is empty$/],
  'an empty tag': [{ words: ['a'], ner: [''] }, /^element 1 of "ner" is empty$/],
  'a tag that is a number': [
    { words: ['a'], ner: [1] },
    /^element 1 of "ner" is the number 1, not a string$/,
  ],
  'a long tag': [{ words: ['a'], ner: ['x'.repeat(129)] }, /^element 1 of "ner" has 129 characters/],
};
for (const [name, [values, reason]] of Object.entries(bad))
  test(`${name} makes a bad row`, () => assert.match(String(task.readRow(values, columns)), reason));

test('a good row is its words and tags', () =>
  assert.deepEqual(task.readRow({ words: ['Ada', 'met'], ner: ['B-PER', 'O'], more: 1 }, columns), {
    text: 'Ada met',
    words: ['Ada', 'met'],
    labels: ['B-PER', 'O'],
  }));
