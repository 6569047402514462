import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gather } from '../../../trainer-image/graph/array-ops.ts';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { type Variable, variable } from '../../../trainer-image/graph/variables.ts';
import { type AdamWOptions, adamW } from '../../../trainer-image/optim/adamw.ts';
import { buildUpdate, runUpdate } from '../../../trainer-image/optim/update.ts';
import { isDecayed } from '../../../trainer-image/optim/weight-decay.ts';
import { nativeBinding, numbers } from '../graph/native.ts';

const binding = await nativeBinding();
type Given = AdamWOptions & { maxGradNorm: number };
const options: Given = { weightDecay: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, maxGradNorm: 1 };
const examples = 4;
const learningRate = 0.02;

/** AdamW as PyTorch documents it, in float64; gradients are sums over `examples`. */
function reference(weights: number[][], gradient: (weights: number[][]) => number[][], given: Given) {
  const first = weights.map((w) => w.map(() => 0));
  const second = weights.map((w) => w.map(() => 0));
  return (step: number, decayed: readonly boolean[]): number => {
    const means = gradient(weights).map((g) => g.map((value) => value / examples));
    const norm = Math.hypot(...means.flat());
    const scale = given.maxGradNorm === 0 ? 1 : Math.min(1, given.maxGradNorm / (norm + 1e-6));
    for (const [p, w] of weights.entries()) {
      for (const i of w.keys()) {
        const g = (means[p]?.[i] as number) * scale;
        const m = (first[p] as number[])[i] as number;
        const v = (second[p] as number[])[i] as number;
        const m1 = given.beta1 * m + (1 - given.beta1) * g;
        const v1 = given.beta2 * v + (1 - given.beta2) * g * g;
        (first[p] as number[])[i] = m1;
        (second[p] as number[])[i] = v1;
        const decay = decayed[p] ? 1 - learningRate * given.weightDecay : 1;
        const mHat = m1 / (1 - given.beta1 ** (step + 1));
        const vHat = v1 / (1 - given.beta2 ** (step + 1));
        w[i] = (w[i] as number) * decay - (learningRate * mHat) / (Math.sqrt(vHat) + given.epsilon);
      }
    }
    return norm;
  };
}

// loss sum = 5 * |table[ids] - 1|^2 + 3 * |bias|^2; row 2 of the table occurs twice, row 0 never.
const ids = [2, 1, 2];
const start = { table: numbers(8, 1), bias: numbers(2, 2) };
function gradient([table, bias]: number[][]): number[][] {
  const result = (table as number[]).map(() => 0);
  for (const id of ids)
    for (const column of [0, 1]) {
      const at = 2 * id + column;
      result[at] = (result[at] as number) + 10 * ((table?.[at] as number) - 1);
    }
  return [result, (bias as number[]).map((value) => 6 * value)];
}

function trainer(given: Given) {
  const graph = new Graph();
  const table = variable(graph, 'table.weight', [4, 2]);
  const bias = variable(graph, 'table.bias', [2]);
  const rows = gather(table.value, ops.constant(graph, 'int32', ids));
  const loss = ops.add(
    ops.mul(ops.sumAll(ops.square(ops.sub(rows, 1))), 5),
    ops.mul(ops.sumAll(ops.square(bias.value)), 3),
  );
  const weights = [table, bias];
  const update = buildUpdate(
    graph,
    weights,
    { lossSum: loss, count: ops.scalar(graph, 'float32', examples) },
    { optimizer: adamW(given), maxGradNorm: given.maxGradNorm, gradientAccumulationSteps: 1 },
  );
  const session = new Session(binding, graph);
  const set = (v: Variable, values: number[]) =>
    session.run([v.assigned], [{ tensor: v.next, data: Float32Array.from(values), shape: v.shape }]);
  set(table, start.table);
  set(bias, start.bias);
  session.run([update.clearState], []);
  return {
    step: (step: number) => runUpdate(session, update, [[]], { step, learningRate }).gradientNorm,
    weights: () => session.run([table.value, bias.value], []).map((data) => [...(data as Float32Array)]),
    close: () => session.close(),
  };
}

const cases: Record<string, { given: Given; clipped: boolean }> = {
  'with decay and clipping': { given: options, clipped: true },
  'without decay': { given: { ...options, weightDecay: 0 }, clipped: true },
  'without clipping': { given: { ...options, maxGradNorm: 0 }, clipped: false },
  'with a limit that is not reached': { given: { ...options, maxGradNorm: 1000 }, clipped: false },
};
for (const [name, { given, clipped }] of Object.entries(cases)) {
  test(`30 steps ${name} equal the published formula`, () => {
    const want = [[...start.table], [...start.bias]];
    const stepWant = reference(want, gradient, given);
    const { step, weights, close } = trainer(given);
    for (let i = 0; i < 30; i++) {
      const norm = stepWant(i, [true, false]);
      const got = step(i);
      assert.ok(Math.abs(got - norm) < 1e-4 * norm, `norm of step ${i}: got ${got}, want ${norm}`);
      if (i === 0) assert.equal(norm > 1, true, `clipping matters (${clipped})`);
    }
    for (const [p, values] of weights().entries())
      for (const [i, value] of values.entries())
        assert.ok(
          Math.abs(value - (want[p]?.[i] as number)) < 1e-5,
          `[${p}][${i}]: ${value}, want ${want[p]?.[i]}`,
        );
    close();
  });
}

test('biases and normalisation layers are not decayed', () => {
  const decayed = [
    'bert.encoder.layer.0.attention.self.query.weight',
    'bert.embeddings.word_embeddings.weight',
    'classifier.weight',
    'model.normal.weight',
  ];
  const kept = [
    'bert.encoder.layer.0.attention.self.query.bias',
    'bert.embeddings.LayerNorm.weight',
    'model.norm.weight',
    'layers.0.final_norm.weight',
    'layers.0.RMSNorm.weight',
  ];
  assert.deepEqual([...decayed, ...kept].filter(isDecayed), decayed);
});
