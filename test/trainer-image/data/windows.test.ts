import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Dataset, loadDataset } from '../../../trainer-image/data/dataset.ts';
import { type EncodedSplit, idsOf, labelsOf, rowsOf, wordsOf } from '../../../trainer-image/data/encoded.ts';
import { dataReport } from '../../../trainer-image/data/report.ts';
import { loadTokenizer } from '../../../trainer-image/data/tokenizer.ts';
import { evaluate } from '../../../trainer-image/evaluate.ts';
import { taskOf } from '../../../trainer-image/tasks/tasks.ts';
import { tokenClassification } from '../../../trainer-image/tasks/token-classification.ts';
import { miniLmDirectory } from '../../golden/minilm.ts';
import { runConfigOf } from './run-config.ts';
import { scratchFolder } from './scratch.ts';

type Windowed = { inputIds: number[][]; samples: number[] };
type Case = {
  side: 'right' | 'left';
  maxLength: number;
  stride: number;
  texts: Windowed;
  words: Windowed & { labels: number[][] };
};
const file = new URL('../../golden/windows.json', import.meta.url);
const golden = JSON.parse(await readFile(file, 'utf8')) as { textsGiven: string[]; cases: Case[] };
const miniLm = await miniLmDirectory(() => undefined);
const tagNames = ['a', 'b', 'c', 'd', 'e'];

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-windows-'));
  for (const name of ['tokenizer.json', 'special_tokens_map.json'])
    await cp(join(miniLm, name), join(folder, name));
  const rows = golden.textsGiven.map((text, row) => {
    const tokens = text.trim().split(/\s+/);
    return JSON.stringify({ text, tokens, tags: tokens.map((_, place) => tagNames[(place + row) % 5]) });
  });
  for (const name of ['train.jsonl', 'test.jsonl']) await writeFile(join(folder, name), rows.join('\n'));
});
after(() => rm(folder, { recursive: true }));

async function load(
  task: 'MaskedLM' | 'TokenClassification',
  { side, maxLength, stride }: Pick<Case, 'side' | 'maxLength'> & { stride?: number },
): Promise<Dataset> {
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ truncation_side: side }));
  const config = runConfigOf({ model: folder, dataset: folder, output: folder }, (run) => {
    run.task = task;
    run.dataset.columns = task === 'MaskedLM' ? { text: 'text' } : { tokens: 'tokens', tags: 'tags' };
    if (task === 'MaskedLM') run.training.masking = { probability: 0.15, wholeWord: false };
  });
  const fit = { maxLength, stride, vocabularySize: 30_522, maxPositions: 512, padTokenId: 0 };
  const tokenizer = await loadTokenizer(folder, { ...fit, pretokenized: task === 'TokenClassification' });
  return loadDataset(config, taskOf(config), { directory: folder, encoded: scratchFolder(), tokenizer });
}
const rowsIn = (split: EncodedSplit) => Array.from({ length: split.rows }, (_, row) => row);
const samplesOf = (split: EncodedSplit) =>
  rowsIn(split).map((row) =>
    Array.from({ length: split.texts }, (_, text) => rowsOf(split, text)).findIndex(([, end]) => row < end),
  );

for (const want of golden.cases) {
  const { side, maxLength, stride } = want;
  test(`windows of ${maxLength} tokens with a stride of ${stride}, from the ${side}, are transformers'`, async () => {
    const text = (await load('MaskedLM', want)).splits.train;
    assert.deepEqual(
      rowsIn(text).map((row) => [...idsOf(text, row)]),
      want.texts.inputIds,
    );
    assert.deepEqual(samplesOf(text), want.texts.samples);
    const words = (await load('TokenClassification', want)).splits.train;
    assert.deepEqual(
      rowsIn(words).map((row) => [...idsOf(words, row)]),
      want.words.inputIds,
    );
    assert.deepEqual(
      rowsIn(words).map((row) => [...labelsOf(words, row)]),
      want.words.labels,
    );
    assert.deepEqual(samplesOf(words), want.words.samples);
  });
}

const cut = { side: 'right', maxLength: 12, stride: 3 } as const;

test('the report is about texts, none of them cut off', async () => {
  const dataset = await load('TokenClassification', cut);
  assert.ok(dataset.splits.train.rows > dataset.texts.train.rows);
  const { splits, tokens } = dataReport({ ...dataset, splits: dataset.texts });
  assert.equal(splits.train.rows, golden.textsGiven.length);
  assert.deepEqual([splits.train.truncatedRows, splits.train.lostWords], [0, 0]);
  assert.ok(tokens.max > 2 * cut.maxLength);
  const plain = await load('TokenClassification', { side: 'right', maxLength: 12 });
  assert.equal(plain.splits, plain.texts);
  assert.ok((dataReport(plain).splits.train.lostWords ?? 0) > 0);
});

/** Says the right tag of each word except where the word stands within two tokens of the end of a window. */
function almostRight(split: EncodedSplit) {
  return {
    predict(batch: ReturnType<typeof tokenClassification.collate>) {
      const logits = new Float32Array(batch.labels.length * tagNames.length);
      for (const [index, position] of batch.positions!.entries()) {
        const labels = labelsOf(split, batch.indices[Math.floor(position / batch.length)]!);
        const token = position % batch.length;
        const near = Math.min(token, labels.length - 1 - token) <= 1;
        const said = near ? (labels[token]! + 1) % tagNames.length : labels[token]!;
        logits[index * tagNames.length + said] = 5;
      }
      return { outputs: [logits], lossSum: 1, count: 4 };
    },
  };
}

test('a word in several windows counts once, where it has the most text around it', async () => {
  const { splits, texts: whole, labels } = await load('TokenClassification', { ...cut, stride: 6 });
  const { test: split } = splits;
  const task = tokenClassification;
  const options = { task, labels, batchSize: 4, maxLength: 12, stopRequested: () => false };
  const evaluation = { evaluated: evaluate(almostRight(split), split, options), split, labels };
  const scores = task.scores(evaluation);
  assert.equal(scores.rows, golden.textsGiven.length);
  const words = golden.textsGiven.map((text) => text.trim().split(/\s+/));
  // Wrong are the words whose first token is the first or last one of the text: no window holds it in its middle.
  const wrong = [...words.keys()].reduce((sum, text) => {
    const own = labelsOf(whole.test, text);
    return sum + own.filter((label, at) => label >= 0 && (at === 1 || at === own.length - 2)).length;
  }, 0);
  assert.equal(wrong, 6);
  const total = words.reduce((sum, text) => sum + text.length, 0);
  assert.ok(Math.abs((scores.accuracy as number) - (total - wrong) / total) < 1e-12, `${scores.accuracy}`);
  const texts = [...words.keys()];
  assert.equal(task.scorer(evaluation, 'accuracy')(texts), scores.accuracy);
  const { predicted } = task.prediction(evaluation, 2, { text: '', words: words[2]!, labels: [] }).line as {
    predicted: (string | null)[];
  };
  const tags = words[2]!.map((_, place) => tagNames[(place + 2) % 5]);
  assert.deepEqual(predicted.slice(1, -1), tags.slice(1, -1));
  assert.notEqual(predicted[0], tags[0]);
});

test('figures of masked tokens are those of the texts', async () => {
  const { splits, task } = await load('MaskedLM', cut);
  const { test: split } = splits;
  const options = { task, labels: [], batchSize: 3, maxLength: 12, stopRequested: () => false };
  const model = {
    predict: ({ labels }: ReturnType<typeof task.collate>) => ({
      outputs: [Float32Array.from(labels, () => 1), Int32Array.from(labels)],
      lossSum: labels.length,
      count: labels.length,
    }),
  };
  const evaluated = evaluate(model, split, options);
  const masked = evaluated.figures['masked'] as Int32Array;
  assert.equal(masked.length, split.texts);
  assert.ok([...masked].every((count) => count > 0));
  assert.deepEqual([...masked], [...(evaluated.figures['hits'] as Int32Array)]);
  assert.equal(task.scores({ evaluated, split, labels: [] }).rows, split.texts);
});

test('a stride that leaves no step forward is refused with the room of a window', () =>
  assert.rejects(load('MaskedLM', { side: 'right', maxLength: 12, stride: 10 }), {
    category: 'ConfigError',
    message: 'training.stride is 10, but a window of 12 tokens holds 10 tokens of the text.',
  }));

test('words of a window keep their places in the text', async () => {
  const { train } = (await load('TokenClassification', cut)).splits;
  const [first, end] = rowsOf(train, 1);
  const seen = new Set<number>();
  for (let row = first; row < end; row++) for (const word of wordsOf(train, row)) seen.add(word);
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    [-1, ...golden.textsGiven[1]!.split(' ').keys()],
  );
});
