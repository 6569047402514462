/** Metrics by slice: equal to scikit-learn, scipy and seqeval on each group; worst group, gap and its growth. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { dataChecks } from '../../../crds/data-checks.ts';
import type { MetricName } from '../../../crds/tasks.ts';
import { EncodedRows, type EncodedSplit } from '../../../trainer-image/data/encoded.ts';
import type { Scorer } from '../../../trainer-image/metrics/bootstrap.ts';
import { sliceScores, summaryOf } from '../../../trainer-image/metrics/slices.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import { multiLabelClassification } from '../../../trainer-image/tasks/multi-label-classification.ts';
import { regression } from '../../../trainer-image/tasks/regression.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import type { Figures, Task } from '../../../trainer-image/tasks/task.ts';
import { tokenClassification } from '../../../trainer-image/tasks/token-classification.ts';
import { scratchFolder } from '../data/scratch.ts';

type ByGroup = { scores: Record<string, number>; worst: string; gap: number };
type Model<T> = { predicted: T; metrics: Partial<Record<MetricName, ByGroup>> };
type Case<T> = { actual: T; base: Model<T>; tuned: Model<T> };
/** What a model made of the hidden tokens, row by row. */
type Guessed = { losses: number[][]; guesses: number[][]; metrics: Model<unknown>['metrics'] };
type Golden = {
  smallest: number;
  group: string[];
  SingleLabelClassification: Case<number[]>;
  MultiLabelClassification: Case<number[][]>;
  Regression: Case<number[]>;
  TokenClassification: Case<string[][]> & { tags: string[] };
  loss: { losses: number[]; loss: ByGroup };
  MaskedLM: { labels: number[][]; base: Guessed; tuned: Guessed };
};
const golden = JSON.parse(
  await readFile(new URL('../../golden/slices.json', import.meta.url), 'utf8'),
) as Golden;

const rows = golden.group.length;
const values = [...new Set(golden.group)].sort();
const sliced = {
  column: 'language',
  values,
  of: Int32Array.from(golden.group, (value) => values.indexOf(value)),
};

function near(got: number | undefined, want: number, what: string): void {
  assert.ok(Math.abs((got ?? Number.NaN) - want) < 1e-6, `${what}: ${got} is not ${want}`);
}

/** Rows with their label ids, one token for each of them; or with a number. */
function splitOf(labels: readonly number[][], numbers: readonly number[] = []): EncodedSplit {
  const encoded = new EncodedRows(scratchFolder());
  const offsets = Int32Array.from([0, ...labels.keys()], (_, row) => labels.slice(0, row).flat().length);
  const tokens = labels.flat().length;
  encoded.append(
    labels.map((_, row) => {
      const value = numbers[row];
      return { line: row + 1, text: `text ${row}`, labels: [], ...(value !== undefined && { value }) };
    }),
    {
      ids: new Int32Array(tokens),
      typeIds: new Uint8Array(tokens),
      offsets,
      words: Int32Array.from(labels.flatMap((row) => [...row.keys()])),
      fullLengths: Int32Array.from(labels, (row) => row.length),
      unknown: new Int32Array(labels.length),
    },
    labels,
  );
  const tokenizer = { padTokenId: 0, maskTokenId: undefined, vocabularySize: 1 };
  const order = Int32Array.from({ length: 1 + Math.max(2, ...labels.flat()) }, (_, label) => label);
  return encoded.finish('test.jsonl', tokenizer, order);
}

const tagIds = ({ tags }: Golden['TokenClassification'], rowsOfTags: string[][]) =>
  rowsOfTags.map((row) => row.map((tag) => tags.indexOf(tag)));
const hasLabel = (row: number[]) => row.flatMap((has, label) => (has === 1 ? [label] : []));
const words = golden.TokenClassification;

const masked = {
  task: maskedLM({ probability: 0.15, wholeWord: false }),
  split: splitOf(golden.group.map(() => [])),
};

/** The figures that the task keeps of batches of seven rows, some of which have more hidden tokens than others. */
function figuresOfTokens(model: 'base' | 'tuned'): Figures {
  const { labels, [model]: guessed } = golden.MaskedLM;
  const { figures, add } = masked.task.recorder(masked.split, []);
  const length = 8;
  const none = new Int32Array();
  for (let start = 0; start < rows; start += 7) {
    const indices = Int32Array.from([...labels.keys()].slice(start, start + 7));
    const of = (values: number[][]) => [...indices].flatMap((row) => values[row]!);
    const placesOf = (row: number, at: number) => labels[row]!.map((_, token) => at * length + token);
    const unread = { inputIds: none, attentionMask: none, tokenTypeIds: none, starts: none };
    const batch = {
      ...unread,
      rows: indices.length,
      length,
      indices,
      positions: Int32Array.from([...indices].flatMap(placesOf)),
      labels: Int32Array.from(of(labels)),
    };
    add(batch, [Float32Array.from(of(guessed.losses)), Int32Array.from(of(guessed.guesses))]);
  }
  return figures;
}

type TaskCase = {
  task: Task;
  split: EncodedSplit;
  labels: string[];
  want: Record<'base' | 'tuned', Pick<Model<unknown>, 'metrics'>>;
  figuresOf(model: 'base' | 'tuned'): Figures;
};
const cases: TaskCase[] = [
  {
    task: sequenceClassification,
    split: splitOf(golden.SingleLabelClassification.actual.map((label) => [label])),
    labels: ['a', 'b', 'c'],
    want: golden.SingleLabelClassification,
    figuresOf: (model) => ({ predicted: golden.SingleLabelClassification[model].predicted }),
  },
  {
    task: multiLabelClassification,
    split: splitOf(golden.MultiLabelClassification.actual.map(hasLabel)),
    labels: ['a', 'b', 'c'],
    want: golden.MultiLabelClassification,
    figuresOf: (model) => ({ predicted: golden.MultiLabelClassification[model].predicted.flat() }),
  },
  {
    task: regression,
    split: splitOf(
      golden.Regression.actual.map(() => []),
      golden.Regression.actual,
    ),
    labels: [],
    want: golden.Regression,
    figuresOf: (model) => ({ predicted: golden.Regression[model].predicted }),
  },
  {
    task: tokenClassification,
    split: splitOf(tagIds(words, words.actual)),
    labels: words.tags,
    want: words,
    figuresOf: (model) => ({
      predicted: tagIds(words, words[model].predicted).flat(),
      confidence: new Float32Array(rows * 6),
      loss: new Float64Array(rows),
    }),
  },
  { ...masked, labels: [], want: golden.MaskedLM, figuresOf: figuresOfTokens },
];

for (const { task, split, labels, want, figuresOf } of cases) {
  for (const metric of Object.keys(want.tuned.metrics) as MetricName[]) {
    test(`each slice has the reference's ${metric} of ${task.kind}, and so have worst slice and gap`, () => {
      const scorerOf = (model: 'base' | 'tuned') =>
        task.scorer({ evaluated: { loss: 0, figures: figuresOf(model) }, split, labels }, metric);
      const got = sliceScores(sliced, {
        metric,
        base: scorerOf('base'),
        tuned: scorerOf('tuned'),
        seed: 1,
      });
      const [base, tuned] = [want.base.metrics[metric]!, want.tuned.metrics[metric]!];
      for (const { slice, rows: count, baseline, final } of got.slices) {
        assert.equal(count, golden.group.filter((name) => name === slice).length);
        near(final.value, tuned.scores[slice]!, `tuned ${slice}`);
        near(baseline, base.scores[slice]!, `base ${slice}`);
        assert.ok(final.low <= final.value + 1e-12 && final.value <= final.high + 1e-12, slice);
      }
      assert.equal(got.worst?.slice, tuned.worst);
      near(got.gap?.final, tuned.gap, 'gap');
      near(got.gap?.baseline, base.gap, 'gap of the base model');
      near(got.growth?.value, tuned.gap - base.gap, 'growth');
    });
  }
}

test('where less is better, the worst slice is the one with most', () => {
  const { losses, loss } = golden.loss;
  const mean: Scorer = (drawn) =>
    Array.from(drawn).reduce((sum, row) => sum + losses[row]!, 0) / drawn.length;
  const got = sliceScores(sliced, { metric: 'loss', tuned: mean, seed: 1 });
  for (const { slice, final } of got.slices) near(final.value, loss.scores[slice]!, slice);
  assert.equal(got.worst?.slice, loss.worst);
  near(got.gap?.final, loss.gap, 'gap');
  assert.equal(got.growth, undefined, 'nothing can grow without a base model');
});

test('a small slice is shown and counts for nothing', () => {
  assert.equal(golden.smallest, dataChecks.smallSlices.threshold);
  const scorer: Scorer = (drawn) => (golden.group[drawn[0]!] === 'is' ? 0 : 0.5);
  const got = sliceScores(sliced, { metric: 'accuracy', base: scorer, tuned: scorer, seed: 1 });
  const small = got.slices.filter((slice) => slice.small);
  assert.deepEqual(
    small.map(({ slice, final }) => [slice, final.value]),
    [['is', 0]],
  );
  assert.equal(got.worst?.final, 0.5);
  assert.equal(got.gap?.final, 0);
  assert.deepEqual(got.growth, { value: 0, low: 0, high: 0 });
  assert.deepEqual(summaryOf(got), {
    column: 'language',
    worst: got.worst,
    gap: got.gap,
    growth: got.growth,
  });
});

test('with one large slice there is a worst one and no gap, with none there is neither', () => {
  const accuracy: Scorer = () => 1;
  const of = (column: number[], names: string[]) =>
    sliceScores(
      { column: 'source', values: names, of: Int32Array.from(column) },
      { metric: 'accuracy', tuned: accuracy, seed: 1 },
    );
  const one = of([...new Array<number>(30).fill(0), 1], ['web', 'mail']);
  assert.equal(one.worst?.slice, 'web');
  assert.equal(one.gap, undefined);
  const none = of([0, 0, 1], ['web', 'mail']);
  assert.deepEqual([none.worst, none.gap, none.growth], [undefined, undefined, undefined]);
});

test('a gap that clearly grew has an interval above zero, one that did not has zero inside', () => {
  const column = {
    column: 'half',
    values: ['a', 'b'],
    of: Int32Array.from({ length: 200 }, (_, row) => row % 2),
  };
  const rightOf = (wrong: (row: number) => boolean) => (drawn: ArrayLike<number>) =>
    Array.from(drawn).filter((row) => !wrong(row)).length / drawn.length;
  // Rows of both halves: every tenth, and for the other model also a third of the second half.
  const even = rightOf((row) => row % 10 < 2);
  const uneven = rightOf((row) => row % 10 < 2 || (row % 2 === 1 && row % 3 === 0));
  const grown = sliceScores(column, { metric: 'accuracy', base: even, tuned: uneven, seed: 1 });
  assert.ok(grown.growth!.low > 0, JSON.stringify(grown.growth));
  const shrunk = sliceScores(column, { metric: 'accuracy', base: uneven, tuned: even, seed: 1 });
  assert.ok(shrunk.growth!.high < 0, JSON.stringify(shrunk.growth));
  const same = sliceScores(column, { metric: 'accuracy', base: even, tuned: even, seed: 1 });
  assert.deepEqual(same.growth, { value: 0, low: 0, high: 0 });
});
