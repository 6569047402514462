/** Whole runs of the tasks without a single label a text: what they publish and report. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ResultOf, RunConfig } from '../../../crds/trainer-contract.ts';
import type { Report } from '../../../trainer-image/report/report.ts';
import { type Ended, Workplace } from '../trainer-process.ts';

let place: Workplace;
before(async () => {
  place = await Workplace.create();
  for (const [split, rows] of Object.entries({ train: 48, validation: 16, test: 24 }))
    writeTagged(`tagged-${split}.jsonl`, rows);
});
after(() => place.remove());

/** Rows in which the word alone decides its tag. */
function writeTagged(file: string, rows: number, change: (row: number) => object = () => ({})): void {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const tagOf: Record<string, string> = {
    lunch: 'B-MEAL',
    noon: 'B-TIME',
    cheap: 'B-PRICE',
    free: 'I-PRICE',
  };
  const lines = Array.from({ length: rows }, (_, row) => {
    const filler = Array.from({ length: 1 + (row % 4) }, (__, i) => letters.charAt((row * 3 + i * 7) % 26));
    const named = Object.keys(tagOf)[row % 3]!;
    const tokens = [...filler, named, ...(named === 'cheap' ? ['free'] : []), 'now'];
    const tags = tokens.map((word) => tagOf[word] ?? 'O');
    return JSON.stringify({ tokens, tags, ...change(row) });
  });
  writeFileSync(join(place.directory, 'data', file), `${lines.join('\n')}\n`);
}

function configFor(name: string, change: (config: RunConfig) => void): RunConfig {
  return place.config((config) => {
    config.job.uid = name;
    config.output = { kind: 'volume', uri: `pvc://out/${name}`, directory: place.newOutput(name) };
    change(config);
  });
}

const tagged = (name: string, change: (config: RunConfig) => void = () => {}) =>
  configFor(name, (config) => {
    config.task = 'TokenClassification';
    config.dataset.columns = { tokens: 'tokens', tags: 'tags' };
    config.dataset.splits = {
      train: 'tagged-train.jsonl',
      validation: 'tagged-validation.jsonl',
      test: 'tagged-test.jsonl',
    };
    change(config);
  });

const masked = (name: string, change: (config: RunConfig) => void = () => {}) =>
  configFor(name, (config) => {
    config.task = 'MaskedLM';
    config.dataset.columns = { text: 'text' };
    config.training.masking = { probability: 0.15, wholeWord: false };
    change(config);
  });

const outputOf = (name: string, ...path: string[]) => join(place.directory, 'outputs', name, ...path);
const textOf = (name: string, ...path: string[]) => readFileSync(outputOf(name, ...path), 'utf8');
const reportOf = (name: string) => JSON.parse(textOf(name, 'report', 'report.json')) as Report;
const modelConfigOf = (name: string) =>
  JSON.parse(textOf(name, 'model', 'config.json')) as Record<string, unknown>;
const predictionsOf = (name: string) =>
  textOf(name, 'report', 'predictions.jsonl')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function succeeded(ended: Ended): ResultOf<'Succeeded'> {
  assert.equal(ended.exitCode, 0, ended.log);
  assert.equal(ended.result.outcome, 'Succeeded', JSON.stringify(ended.result));
  return ended.result as ResultOf<'Succeeded'>;
}

function assertWhole(name: string, words: RegExp[]): void {
  const page = textOf(name, 'report', 'report.html');
  for (const word of words) assert.match(page, word);
  assert.doesNotMatch(page, /NaN|undefined|not measured/);
  assert.doesNotMatch(textOf(name, 'model', 'README.md'), /NaN|undefined|not measured/);
}

test('words learn their tags; model, report and predictions speak of entities', async () => {
  const { evaluation } = succeeded(
    await place.run(
      tagged('tags', (config) => {
        config.training.epochs = 15;
        config.training.earlyStopping = { metric: 'f1', patience: 30, minDelta: 0 };
        config.gate = { metric: 'strictF1', minimum: 0.5, minimumGainOverBaseline: 0.3 };
      }),
    ),
  );
  assert.ok(evaluation.final.f1! >= 0.9 && evaluation.final.accuracy! >= 0.9, JSON.stringify(evaluation));
  assert.deepEqual(Object.keys(evaluation.final).sort(), [
    'accuracy',
    'f1',
    'loss',
    'precision',
    'recall',
    'strictF1',
  ]);
  assert.equal(evaluation.gain?.metric, 'strictF1');
  assert.ok(evaluation.gain.low > 0);
  const config = modelConfigOf('tags');
  assert.deepEqual(config['architectures'], ['BertForTokenClassification']);
  assert.deepEqual(config['id2label'], { 0: 'B-MEAL', 1: 'B-PRICE', 2: 'B-TIME', 3: 'I-PRICE', 4: 'O' });
  assert.ok(!('problem_type' in config));
  const report = reportOf('tags');
  assert.deepEqual(
    report.final.classes?.map(({ name }) => name),
    ['MEAL', 'PRICE', 'TIME'],
  );
  assert.equal(report.training.best?.metric, 'f1');
  assertWhole('tags', [/Entity F1/, /Strict entity F1/, /Words cut off in test/]);
  const [first] = predictionsOf('tags');
  assert.deepEqual(first?.['tokens'], ['a', 'lunch', 'now']);
  assert.deepEqual(first?.['tags'], ['O', 'B-MEAL', 'O']);
  assert.equal((first!['predicted'] as string[]).length, 3);
});

test('bad tagged rows are named with file and line', async () => {
  const rows: Record<number, object> = { 2: { tags: ['O'] }, 4: { tokens: [], tags: [] }, 6: { tags: 'O' } };
  writeTagged('bad-train.jsonl', 8, (row) => rows[row] ?? {});
  const ended = await place.run(
    tagged('bad', (config) => {
      config.dataset.splits.train = 'bad-train.jsonl';
    }),
    'preflight',
  );
  const result = ended.result as ResultOf<'Failed'>;
  assert.equal(result.category, 'DataError', ended.log);
  assert.match(result.message, /bad-train\.jsonl line 3: "tokens" has 6 words and "tags" 1 tags/);
  assert.match(result.message, /line 5: "tokens" is empty; .*line 7: "tags" is a string, not a list/);
});

test('a tag that train does not have is named with file and line', async () => {
  writeTagged('odd-test.jsonl', 4, (row) => (row === 3 ? { tokens: ['a'], tags: ['B-CAR'] } : {}));
  const ended = await place.run(
    tagged('odd', (config) => {
      config.dataset.splits.test = 'odd-test.jsonl';
    }),
    'preflight',
  );
  assert.match(
    (ended.result as ResultOf<'Failed'>).message,
    /odd-test\.jsonl line 4: the label "B-CAR" is none/,
  );
});

test('long rows are read in windows: each word is trained, measured and predicted', async () => {
  const long = (row: number) => {
    const tokens = Array.from({ length: 40 }, (_, place) => ((place + row) % 5 === 0 ? 'noon' : 'now'));
    return { tokens, tags: tokens.map((word) => (word === 'noon' ? 'B-TIME' : 'O')) };
  };
  for (const [split, rows] of Object.entries({ train: 12, validation: 4, test: 6 }))
    writeTagged(`long-${split}.jsonl`, rows, long);
  const ended = succeeded(
    await place.run(
      tagged('windows', (config) => {
        config.dataset.splits = {
          train: 'long-train.jsonl',
          validation: 'long-validation.jsonl',
          test: 'long-test.jsonl',
        };
        Object.assign(config.training, { maxLength: 16, stride: 4, epochs: 2, batchSize: 4 });
      }),
    ),
  );
  // 40 tokens in windows of 14, each 10 further than the one before: four a row.
  assert.equal(ended.totalSteps, (2 * 12 * 4) / 4);
  assert.equal(ended.evaluation.rows, 6);
  const { data } = reportOf('windows');
  assert.deepEqual([data.splits.train.rows, data.splits.train.lostWords], [12, 0]);
  const predictions = predictionsOf('windows') as { tags: string[]; predicted: (string | null)[] }[];
  assert.equal(predictions.length, 6);
  for (const { tags, predicted } of predictions) {
    assert.equal(predicted.length, 40);
    assert.ok(tags.length === 40 && predicted.every((tag) => tag === 'B-TIME' || tag === 'O'));
  }
});

test('preflight counts tags and the words that maxLength cuts off, and warns of them', async () => {
  writeTagged('long-test.jsonl', 5, (row) =>
    row === 1 ? { tokens: new Array(20).fill('a'), tags: new Array(20).fill('O') } : {},
  );
  const ended = await place.run(
    tagged('long', (config) => {
      config.dataset.splits.test = 'long-test.jsonl';
    }),
    'preflight',
  );
  assert.equal(ended.result.outcome, 'Validated', ended.log);
  const { preflight } = ended.result as ResultOf<'Validated'>;
  assert.equal(preflight.splits.test.lostWords, 6);
  assert.equal(preflight.splits.train.lostWords, 0);
  assert.equal(preflight.labels, 5);
  assert.equal(preflight.splits.train.labels[0]?.[0], 'O');
  assert.ok(
    preflight.warnings.some((text) => /^6 tagged words of the test split/.test(text)),
    preflight.warnings.join(),
  );
});

test('masked tokens are guessed better after training, without a label anywhere', async () => {
  const { evaluation } = succeeded(
    await place.run(
      masked('masked', (config) => {
        config.gate = { metric: 'perplexity', maximum: 80, minimumGainOverBaseline: 1 };
      }),
    ),
  );
  const { baseline, final, gain } = evaluation;
  assert.deepEqual(Object.keys(final).sort(), ['accuracy', 'loss', 'perplexity']);
  assert.ok(final.loss! < baseline!.loss! - 0.3, JSON.stringify(evaluation));
  assert.ok(Math.abs(final.perplexity! - Math.exp(final.loss!)) < 1e-6);
  assert.equal(gain?.metric, 'perplexity');
  assert.ok(gain.low > 0 && Math.abs(gain.value - (baseline!.perplexity! - final.perplexity!)) < 1e-3);
  assert.deepEqual(modelConfigOf('masked')['architectures'], ['BertForMaskedLM']);
  assert.ok(!('id2label' in modelConfigOf('masked')));
  const report = reportOf('masked');
  assert.deepEqual(report.labels, []);
  assert.ok(report.model.newlyInitialized.includes('cls.predictions.bias'));
  assertWhole('masked', [/Perplexity/, /Masked accuracy/]);
  const predictions = predictionsOf('masked');
  assert.equal(predictions.length, 24);
  assert.ok(predictions.every(({ masked: count, loss }) => Number(count) > 0 && Number(loss) > 0));
  assert.ok(readdirSync(outputOf('masked', 'model')).includes('model.safetensors'));
});

test('without a gate the gain of masked tokens is that of the loss', async () => {
  const { evaluation } = succeeded(
    await place.run(
      masked('loss', (config) => {
        config.training.epochs = 0.5;
      }),
    ),
  );
  assert.equal(evaluation.gain?.metric, 'loss');
  assert.ok(Math.abs(evaluation.gain.value - (evaluation.baseline!.loss! - evaluation.final.loss!)) < 1e-4);
  assert.match(reportOf('loss').verdict.sentence, /the base model: loss \d/);
});

test('wrapped texts lose nothing: long ones are trained to their ends and measured in pieces', async () => {
  const long = Array.from(
    { length: 20 },
    (_, row) => `lunch at noon free money ${'a b c d '.repeat(row % 5)}`,
  );
  for (const split of ['train', 'test'])
    writeFileSync(
      join(place.directory, 'data', `long-texts-${split}.jsonl`),
      long.map((text) => `${JSON.stringify({ text })}\n`).join(''),
    );
  const wrapped = masked('wrapped', ({ dataset, training, evaluation }) => {
    dataset.splits = { train: 'long-texts-train.jsonl', test: 'long-texts-test.jsonl' };
    Object.assign(training, { packing: 'Wrapped', epochs: 2 });
    evaluation.baseline = false;
  });
  const { preflight } = (await place.run(wrapped, 'preflight')).result as ResultOf<'Validated'>;
  assert.equal(preflight.splits.train.truncatedRows, 0);
  assert.ok(preflight.tokens.max > wrapped.training.maxLength);
  const { trainedTokens, step } = succeeded(await place.run(wrapped));
  assert.equal(step, preflight.totalSteps);
  const tokens = trainedTokens / 2; // epochs
  assert.ok(tokens > 20 * preflight.tokens.median * 0.9, `${tokens} tokens an epoch`);
  assert.equal(step, 2 * Math.ceil(Math.ceil(tokens / 16) / wrapped.training.batchSize));
  assert.ok(predictionsOf('wrapped').every(({ masked: count }) => Number(count) > 0));
});

/** Pairs of texts of which the words decide label and number. */
function writePairs(file: string, rows: number): void {
  const lines = Array.from({ length: rows }, (_, row) => {
    const meal = row % 2 === 0;
    const price = row % 3 === 0;
    return JSON.stringify({
      question: `${'abcdefg'.charAt(row % 7)} ${meal ? 'lunch' : 'now'}`,
      answer: `${price ? 'cheap money' : 'noon'} ${'hijk'.charAt(row % 4)}`,
      labels: [...(meal ? ['meal'] : []), ...(price ? ['price'] : [])],
      score: (meal ? 1 : 0) + (price ? 0.5 : 0),
    });
  });
  writeFileSync(join(place.directory, 'data', file), `${lines.join('\n')}\n`);
}

const paired = (name: string, problemType: RunConfig['problemType'], label: string) =>
  configFor(name, (config) => {
    config.problemType = problemType;
    config.dataset.columns = { text: 'question', text2: 'answer', label };
    config.dataset.splits = { train: 'pairs-train.jsonl', test: 'pairs-test.jsonl' };
    config.dataset.fractions = { validation: 0.2 };
    config.training.epochs = 16;
    config.training.learningRate = 0.01;
    config.evaluation.everySteps = 40;
  });

test('pairs of texts learn several labels and a number; both are published for transformers', async () => {
  writePairs('pairs-train.jsonl', 120);
  writePairs('pairs-test.jsonl', 24);
  const several = succeeded(await place.run(paired('several', 'MultiLabelClassification', 'labels')));
  assert.deepEqual(Object.keys(several.evaluation.final).sort(), ['accuracy', 'f1', 'loss', 'microF1']);
  assert.ok(several.evaluation.final.microF1! > 0.85, JSON.stringify(several.evaluation));
  assert.equal(several.evaluation.gain?.metric, 'microF1');
  assert.deepEqual(modelConfigOf('several')['id2label'], { 0: 'meal', 1: 'price' });
  assert.equal(modelConfigOf('several')['problem_type'], 'multi_label_classification');
  const [first] = predictionsOf('several');
  assert.deepEqual(first?.['labels'], ['meal', 'price']);
  assert.equal(first?.['text2'], 'cheap money h');
  assertWhole('several', [/Micro F1/, /Exact accuracy/]);

  const number = succeeded(await place.run(paired('number', 'Regression', 'score')));
  assert.deepEqual(Object.keys(number.evaluation.final).sort(), ['loss', 'pearson', 'rmse', 'spearman']);
  assert.ok(number.evaluation.final.pearson! > 0.8, JSON.stringify(number.evaluation));
  assert.ok(Math.abs(number.evaluation.final.rmse! ** 2 - number.evaluation.final.loss!) < 1e-4);
  assert.equal(modelConfigOf('number')['problem_type'], 'regression');
  assert.deepEqual(modelConfigOf('number')['id2label'], { 0: 'LABEL_0' });
  assertWhole('number', [/Pearson/, /RMSE/]);
});

test('after kill -9 the masks are the same, to the very same numbers', async () => {
  const long = (name: string) =>
    masked(name, (config) => {
      config.training.epochs = 12;
      config.training.gradientAccumulationSteps = 2;
      config.training.masking = { probability: 0.2, wholeWord: true };
      config.checkpoints.everySteps = 10;
    });
  succeeded(await place.run(long('undisturbed')));
  const trainer = await place.start(long('killed'));
  await trainer.reaches(33);
  trainer.child.kill('SIGKILL');
  await trainer.ended;
  const result = succeeded(await place.run(long('killed')));
  assert.ok(result.resumedFromStep! >= 20, `${result.resumedFromStep}`);
  const [want, got] = [reportOf('undisturbed'), reportOf('killed')];
  for (const part of ['stepLosses', 'validation', 'baseline', 'final', 'gain'] as const)
    assert.deepEqual(got[part], want[part], part);
});
