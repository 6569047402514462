import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type Batch, padRows } from '../../../trainer-image/data/batch.ts';
import { EncodedRows, type EncodedSplit, wordsOf } from '../../../trainer-image/data/encoded.ts';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import { placeholder } from '../../../trainer-image/graph/ops.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import { scratchFolder } from '../data/scratch.ts';
import { nativeBinding } from '../graph/native.ts';

const vocabularySize = 1000;
const maskTokenId = 4;
const task = maskedLM({ probability: 0.15, wholeWord: false });
const draw = { seed: 7, epoch: 0 };

/** Rows of [CLS], words of one to three tokens, [SEP]; token ids from 10 on. */
function splitOf(lengths: readonly number[]): EncodedSplit {
  const rows = new EncodedRows(scratchFolder());
  const offsets = [0];
  const ids: number[] = [];
  const words: number[] = [];
  for (const [row, length] of lengths.entries()) {
    ids.push(1, ...Array.from({ length }, (_, token) => 10 + ((row * 31 + token * 7) % 900)), 2);
    words.push(-1, ...Array.from({ length }, (_, token) => Math.floor((token * 2) / 3)), -1);
    offsets.push(ids.length);
  }
  rows.append(
    lengths.map((_, row) => ({ line: row + 1, text: `text ${row}`, labels: [] })),
    {
      ids: Int32Array.from(ids),
      typeIds: new Uint8Array(ids.length),
      offsets: Int32Array.from(offsets),
      words: Int32Array.from(words),
      fullLengths: Int32Array.from(lengths, (length) => length + 2),
      unknown: new Int32Array(lengths.length),
    },
    lengths.map(() => []),
  );
  return rows.finish('train.jsonl', { padTokenId: 0, maskTokenId, vocabularySize }, new Int32Array());
}
const lengths = Array.from({ length: 400 }, (_, row) => 20 + (row % 60));
const split = splitOf(lengths);
const all = Int32Array.from(lengths.keys());
const collated = (rows: Int32Array, at?: typeof draw, of = task) =>
  of.collate(padRows(split, rows), split, at);

/** [row, token, label, id that is shown] of each hidden token. */
const hidden = ({ positions, labels, indices, length, inputIds }: Batch) =>
  Array.from(positions!, (place, index) => [
    indices[Math.floor(place / length)]!,
    place % length,
    labels[index]!,
    inputIds[place]!,
  ]);

test('15 % of the tokens are hidden, of these 80 % by the mask, 10 % by a random token', () => {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const chosen = hidden(collated(all, draw));
  const share = (part: number, whole: number, want: number) => {
    const deviation = Math.sqrt((want * (1 - want)) / whole);
    assert.ok(Math.abs(part / whole - want) < 4 * deviation, `${part} of ${whole}, want ${want}`);
  };
  share(chosen.length, tokens, 0.15);
  share(chosen.filter(([, , , id]) => id === maskTokenId).length, chosen.length, 0.8);
  share(chosen.filter(([, , label, id]) => id === label).length, chosen.length, 0.1);
  const drawn = chosen
    .filter(([, , label, id]) => id !== maskTokenId && id !== label)
    .map(([, , , id]) => id!);
  assert.ok(drawn.every((id) => id >= 0 && id < vocabularySize));
  assert.ok(new Set(drawn).size > drawn.length / 2, 'random tokens differ');
});

test('labels are the tokens that were there; special tokens and padding are never hidden', () => {
  const rows = Int32Array.of(59, 0, 17);
  const batch = collated(rows, draw);
  const before = padRows(split, rows);
  for (const [index, place] of batch.positions!.entries()) {
    assert.equal(batch.labels[index], before.inputIds[place]);
    assert.ok(before.inputIds[place]! >= 10, 'a special token or padding');
  }
  const places = new Set(batch.positions);
  for (const [place, id] of before.inputIds.entries())
    if (!places.has(place)) assert.equal(batch.inputIds[place], id);
});

test('what is hidden follows from seed, epoch and row, not from batch or order', () => {
  const whole = hidden(collated(all, draw));
  const other = hidden(collated(all.slice().reverse(), draw));
  const ofRow = (list: number[][], row: number) => list.filter(([own]) => own === row);
  for (const row of [0, 111, 399]) {
    assert.deepEqual(ofRow(whole, row), ofRow(other, row));
    assert.deepEqual(ofRow(whole, row), hidden(collated(Int32Array.of(row), draw)));
  }
  const places = (at: typeof draw) => hidden(collated(all, at)).map(([row, token]) => `${row} ${token}`);
  const first = new Set(places(draw));
  for (const at of [
    { seed: 7, epoch: 1 },
    { seed: 8, epoch: 0 },
  ]) {
    const same = places(at).filter((place) => first.has(place)).length;
    assert.ok(same < 0.25 * first.size, `${same} of ${first.size} places are the same`);
  }
});

test('an evaluation hides the same tokens each time', () => {
  assert.deepEqual(hidden(collated(all)), hidden(collated(all)));
  assert.notDeepEqual(hidden(collated(all)), hidden(collated(all, draw)));
});

test('with wholeWord all tokens of a word are hidden or none', () => {
  const words = maskedLM({ probability: 0.15, wholeWord: true });
  const chosen = hidden(collated(all, draw, words));
  const places = new Set(chosen.map(([row, token]) => `${row} ${token}`));
  const wordOf = (row: number, token: number) => wordsOf(split, row)[token];
  for (const [row, token] of chosen as [number, number][]) {
    for (let other = 1; other <= lengths[row]!; other++)
      if (wordOf(row, other) === wordOf(row, token)) assert.ok(places.has(`${row} ${other}`));
  }
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  assert.ok(Math.abs(chosen.length / tokens - 0.15) < 0.02, `${chosen.length} of ${tokens}`);
});

test('a short text has at least one hidden token, a text without tokens none', () => {
  const short = splitOf([1, 2, 0, 1]);
  const batch = task.collate(padRows(short, Int32Array.of(0, 1, 2, 3)), short, draw);
  const rows = new Set(Array.from(batch.positions!, (place) => Math.floor(place / batch.length)));
  assert.deepEqual([...rows].sort(), [0, 1, 3]);
});

type Golden = {
  masked: {
    /** [tokens * classes] */
    logits: number[];
    classes: number;
    labels: number[];
    losses: number[];
    loss: number;
    perplexity: number;
    accuracy: number;
  };
};
const file = new URL('../../golden/metrics.json', import.meta.url);
const { masked: golden } = JSON.parse(await readFile(file, 'utf8')) as Golden;

/** The golden tokens as hidden tokens of four rows in turn. */
function goldenBatch(): Batch {
  const rows = padRows(split, Int32Array.of(3, 1, 0, 2));
  const labels = Int32Array.from(golden.labels);
  const positions = labels.map((_, token) => (token % 4) * rows.length + 1 + Math.floor(token / 4));
  return { ...rows, labels, positions };
}

test("loss, perplexity and accuracy of hidden tokens equal scikit-learn's", async () => {
  const graph = new Graph();
  const logits = placeholder(graph, 'logits', 'float32', ['positions', golden.classes]);
  const labels = placeholder(graph, 'labels', 'int32', ['positions']);
  const { lossSum, count } = task.loss(logits, labels);
  const fetches = [lossSum, count, ...task.outputs(logits, labels)];
  const session = new Session(await nativeBinding(), graph);
  const tokens = golden.labels.length;
  const batch = goldenBatch();
  const [sum, number, ...outputs] = session.run(fetches, [
    { tensor: logits, data: Float32Array.from(golden.logits), shape: [tokens, golden.classes] },
    { tensor: labels, data: batch.labels, shape: [tokens] },
  ]);
  session.close();
  assert.equal(number![0], tokens);
  for (const [token, loss] of golden.losses.entries())
    near(Number(outputs[0]![token]), loss, `loss of ${token}`);

  const recorder = task.recorder(split, []);
  recorder.add(batch, outputs);
  const evaluated = { loss: Number(sum![0]) / tokens, figures: recorder.figures };
  const evaluation = { evaluated, split, labels: [] };
  const scores = task.scores(evaluation);
  for (const metric of ['loss', 'perplexity', 'accuracy'] as const) {
    near(scores[metric]!, golden[metric], metric);
    const scorer = task.scorer(evaluation, metric);
    near(scorer([0, 1, 2, 3]), golden[metric], `${metric} of all rows`);
  }
  const ofRow = golden.losses.filter((_, token) => token % 4 === 0);
  const mean = ofRow.reduce((total, loss) => total + loss, 0) / ofRow.length;
  near(task.scorer(evaluation, 'loss')([3, 3]), mean, 'loss of one row, drawn twice');
});

function near(got: number, want: number, what: string): void {
  assert.ok(Math.abs(got - want) < 1e-6 * Math.max(1, Math.abs(want)), `${what}: ${got} is not ${want}`);
}
