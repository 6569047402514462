import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricValues } from '../../../crds/trainer-contract.ts';
import { afterEvaluation, type BestSoFar } from '../../../trainer-image/run/early-stopping.ts';
import { gateFailures } from '../../../trainer-image/run/gate.ts';
import { evenly, thinHistory } from '../../../trainer-image/run/history.ts';
import { learningRateOf, plateauAfter } from '../../../trainer-image/run/learning-rate.ts';
import { newState } from '../../../trainer-image/run/state.ts';
import { exampleConfig } from '../report/example.ts';

function follow(values: number[], rule: { metric: 'loss' | 'f1'; minDelta: number }): BestSoFar {
  return values.reduce<BestSoFar>((best, value, i) => afterEvaluation(best, { step: i + 1, value }, rule), {
    badEvaluations: 0,
  });
}

test('a lower loss is better, a higher F1 is better', () => {
  assert.deepEqual(follow([0.9, 0.5, 0.7], { metric: 'loss', minDelta: 0 }), {
    step: 2,
    value: 0.5,
    badEvaluations: 1,
  });
  assert.deepEqual(follow([0.9, 0.5, 0.7], { metric: 'f1', minDelta: 0 }), {
    step: 1,
    value: 0.9,
    badEvaluations: 2,
  });
});

test('an improvement below minDelta makes the best weights but does not reset the patience', () => {
  assert.deepEqual(follow([0.5, 0.495, 0.49], { metric: 'loss', minDelta: 0.01 }), {
    step: 3,
    value: 0.49,
    badEvaluations: 2,
  });
});

test('an equal value is no improvement, and NaN never becomes the best', () => {
  assert.equal(follow([0.5, 0.5], { metric: 'loss', minDelta: 0 }).step, 1);
  assert.deepEqual(follow([0.5, Number.NaN], { metric: 'loss', minDelta: 0 }), {
    step: 1,
    value: 0.5,
    badEvaluations: 1,
  });
});

test('ReduceLROnPlateau follows the metric of early stopping; other schedules follow the step', () => {
  const config = exampleConfig();
  const { training } = config;
  training.warmup = 2;
  const state = newState();
  const rate = () => learningRateOf(config, state, 10);
  assert.equal(rate(), 0);
  state.step = 1;
  assert.equal(rate(), training.learningRate / 2);
  assert.equal(plateauAfter(config, state, 0.5), undefined);

  const settings = { factor: 0.1, patience: 0, threshold: 0, cooldown: 0, minLearningRate: 0 };
  training.schedule = { name: 'ReduceLROnPlateau', ...settings };
  assert.equal(rate(), training.learningRate);
  for (const [metric, values] of [
    ['loss', [0.5, 0.6]],
    ['f1', [0.6, 0.5]],
  ] as const) {
    training.earlyStopping = { metric, patience: 3, minDelta: 0 };
    delete state.plateau;
    state.plateau = plateauAfter(config, state, values[0]);
    assert.equal(rate(), training.learningRate);
    state.plateau = plateauAfter(config, state, values[1]);
    assert.equal(rate(), training.learningRate * 0.1, metric);
  }
});

const scores = (f1: number) => ({ accuracy: 0.9, f1, weightedF1: 0.9 });
const measured = (final: MetricValues, baseline: MetricValues | undefined) => ({
  final,
  baseline,
  slices: [],
});

test('the gate names each value that is too low', () => {
  const gate = { metric: 'f1', minimum: 0.9, minimumGainOverBaseline: 0.2 } as const;
  assert.deepEqual(gateFailures(gate, measured(scores(0.8), scores(0.7))), [
    'f1 is 0.8000, below the minimum of 0.9',
    'f1 gained 0.1000 over the base model, less than 0.2',
  ]);
  assert.deepEqual(gateFailures(gate, measured(scores(0.9), scores(0.7))), []);
});

test('a gain of exactly the minimum passes in spite of rounding; without a gate everything passes', () => {
  assert.ok(0.94 - 0.93 < 0.01);
  const gate = { metric: 'f1', minimumGainOverBaseline: 0.01 } as const;
  assert.deepEqual(gateFailures(gate, measured(scores(0.94), scores(0.93))), []);
  assert.deepEqual(gateFailures(undefined, measured(scores(0), undefined)), []);
});

test('where less is better, the gate is a maximum, and a smaller value a gain', () => {
  const gate = { metric: 'perplexity', maximum: 10, minimumGainOverBaseline: 5 } as const;
  assert.deepEqual(gateFailures(gate, measured({ perplexity: 11 }, { perplexity: 14 })), [
    'perplexity is 11.0000, above the maximum of 10',
    'perplexity gained 3.0000 over the base model, less than 5',
  ]);
  assert.deepEqual(gateFailures(gate, measured({ perplexity: 10 }, { perplexity: 15 })), []);
});

test('a metric that was not measured does not pass', () => {
  assert.deepEqual(gateFailures({ metric: 'recall', minimum: 0 }, measured(scores(1), undefined)), [
    'recall was not measured',
  ]);
});

test('a gain that was not measured does not pass', () => {
  const gate = { metric: 'f1', minimumGainOverBaseline: 0 } as const;
  assert.equal(gateFailures(gate, measured(scores(1), undefined)).length, 1);
});

const worst = (final: number) => ({ slice: 'de', rows: 40, final });

test('the gate names the worst slice and the gap of each column that is out of bounds', () => {
  const gate = { metric: 'f1', slices: { minimum: 0.8, maximumGap: 0.1 } } as const;
  const slices = [
    { column: 'language', worst: worst(0.7), gap: { final: 0.2 } },
    { column: 'source', worst: worst(0.8), gap: { final: 0.1 } },
  ];
  assert.deepEqual(gateFailures(gate, { final: scores(0.9), slices }), [
    'f1 of "language" "de" is 0.7000, below the minimum of 0.8',
    'the gap of f1 between slices of "language" is 0.2000, above the maximum of 0.1',
  ]);
  assert.deepEqual(gateFailures(gate, { final: scores(0.9), slices: slices.slice(1) }), []);
});

test('a slice bound on which nothing was measured does not pass', () => {
  const gate = { metric: 'loss', slices: { maximum: 1, maximumGap: 1 } } as const;
  const of = (column: Parameters<typeof gateFailures>[1]['slices'][number]) =>
    gateFailures(gate, { final: { loss: 0.5 }, slices: [column] });
  assert.deepEqual(of({ column: 'language' }), ['no slice of "language" has enough rows']);
  assert.deepEqual(of({ column: 'language', worst: worst(0.5) }), [
    'only one slice of "language" has enough rows for a gap',
  ]);
  assert.deepEqual(of({ column: 'language', worst: worst(1.5), gap: { final: 0 } }), [
    'loss of "language" "de" is 1.5000, above the maximum of 1',
  ]);
});

test('a short history keeps each step and joins evaluations to theirs', () => {
  const steps = [{ loss: 3 }, { loss: 2 }, { loss: 1 }];
  assert.deepEqual(thinHistory({ steps, evaluations: [{ step: 2, loss: 2.5 }] }), [
    [1, 3, null],
    [2, 2, 2.5],
    [3, 1, null],
  ]);
});

test('a long history has at most 50 points, the means of its buckets, and the first and last evaluation', () => {
  const steps = Array.from({ length: 1000 }, (_, i) => ({ loss: i }));
  const evaluations = Array.from({ length: 100 }, (_, i) => ({ step: (i + 1) * 10, loss: i }));
  const points = thinHistory({ steps, evaluations });
  assert.ok(points.length <= 50, `${points.length}`);
  assert.deepEqual(points[0], [10, null, 0]);
  assert.deepEqual(points.at(-1), [1000, 979.5, 99]);
  assert.deepEqual(
    points.map(([step]) => step),
    points.map(([step]) => step).sort((a, b) => a - b),
  );
  assert.deepEqual(thinHistory({ steps: [], evaluations: [] }), []);
});

test('evenly keeps the first and the last', () => {
  assert.deepEqual(evenly([1, 2, 3, 4, 5], 3), [1, 3, 5]);
  assert.deepEqual(evenly([1, 2], 3), [1, 2]);
  assert.deepEqual(evenly([1, 2, 3], 1), [3]);
});
