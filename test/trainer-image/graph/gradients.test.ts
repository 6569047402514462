import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as array from '../../../trainer-image/graph/array-ops.ts';
import { crossEntropy } from '../../../trainer-image/graph/cross-entropy.ts';
import { dense, gradients } from '../../../trainer-image/graph/gradients.ts';
import { Graph, isRowGradient, sizeOf, type Tensor } from '../../../trainer-image/graph/graph.ts';
import * as neural from '../../../trainer-image/graph/neural.ts';
import { opGradients } from '../../../trainer-image/graph/op-gradients.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import * as products from '../../../trainer-image/graph/products.ts';
import { recomputed } from '../../../trainer-image/graph/recompute.ts';
import { type Feed, Session } from '../../../trainer-image/graph/session.ts';
import { asBits, doubleInput, fromBits, nativeBinding, numbers } from './native.ts';

const binding = await nativeBinding();

type Case = {
  /** Shapes of the inputs. */
  inputs: readonly (readonly number[])[];
  build: (...inputs: Tensor[]) => Tensor;
  /** Moves the inputs (between -1 and 1) into the range where the op is smooth. */
  values?: (value: number, index: number) => number;
};

const positive = (value: number): number => 1.5 + value;
const integers = (graph: Graph, values: number[], shape: number[] = [values.length]): Tensor =>
  ops.constant(graph, 'int32', values, shape);

/** One case for each op with a gradient; the name is the op's, with a variant after a space. */
const opCases: Record<string, Case> = {
  Identity: { inputs: [[3]], build: (x) => ops.identity(x) },
  Neg: { inputs: [[3]], build: ops.neg },
  Square: { inputs: [[3]], build: ops.square },
  Sqrt: { inputs: [[3]], build: ops.sqrt, values: positive },
  Rsqrt: { inputs: [[3]], build: ops.rsqrt, values: positive },
  Exp: { inputs: [[3]], build: ops.exp },
  Log: { inputs: [[3]], build: ops.log, values: positive },
  Erf: { inputs: [[5]], build: ops.erf },
  Tanh: { inputs: [[5]], build: ops.tanh },
  Relu: { inputs: [[6]], build: ops.relu },
  Softmax: { inputs: [[2, 3, 4]], build: ops.softmax },
  LogSoftmax: { inputs: [[2, 3, 4]], build: ops.logSoftmax },
  Cast: { inputs: [[3]], build: (x) => ops.cast(ops.cast(ops.mul(x, 1), 'float64'), 'float64') },
  AddV2: {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    build: ops.add,
  },
  'AddV2 broadcast': { inputs: [[2, 3], [3]], build: ops.add },
  Sub: {
    inputs: [
      [2, 3],
      [2, 1],
    ],
    build: ops.sub,
  },
  Mul: {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    build: ops.mul,
  },
  'Mul broadcast both': {
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
    build: ops.mul,
  },
  'Mul by itself': { inputs: [[4]], build: (x) => ops.mul(x, x) },
  RealDiv: { inputs: [[2, 3], [3]], build: ops.div, values: positive },
  SquaredDifference: {
    inputs: [
      [2, 3],
      [2, 1],
    ],
    build: ops.squaredDifference,
  },
  Maximum: { inputs: [[6], [6]], build: ops.maximum },
  Minimum: { inputs: [[6], [6]], build: ops.minimum },
  SelectV2: {
    inputs: [[2, 3], [3], [2, 1]],
    build: (c, a, b) => ops.select(ops.greaterEqual(c, 0), a, b),
  },
  AddN: { inputs: [[3], [3], [3]], build: (...x) => ops.addN(x) },
  MatMul: {
    inputs: [
      [2, 3],
      [3, 4],
    ],
    build: (a, b) => products.matmul(a, b),
  },
  'MatMul a^T': {
    inputs: [
      [3, 2],
      [3, 4],
    ],
    build: (a, b) => products.matmul(a, b, { transposeA: true }),
  },
  'MatMul b^T': {
    inputs: [
      [2, 3],
      [4, 3],
    ],
    build: (a, b) => products.matmul(a, b, { transposeB: true }),
  },
  'MatMul a^T b^T': {
    inputs: [
      [3, 2],
      [4, 3],
    ],
    build: (a, b) => products.matmul(a, b, { transposeA: true, transposeB: true }),
  },
  BatchMatMulV2: {
    inputs: [
      [2, 2, 3],
      [2, 3, 4],
    ],
    build: (a, b) => products.batchMatmul(a, b),
  },
  'BatchMatMulV2 b^T': {
    inputs: [
      [2, 2, 3],
      [2, 4, 3],
    ],
    build: (a, b) => products.batchMatmul(a, b, { transposeB: true }),
  },
  'BatchMatMulV2 a^T b^T': {
    inputs: [
      [2, 3, 2],
      [2, 4, 3],
    ],
    build: (a, b) => products.batchMatmul(a, b, { transposeA: true, transposeB: true }),
  },
  BiasAdd: { inputs: [[2, 3, 4], [4]], build: ops.biasAdd },
  Sum: { inputs: [[2, 3, 4]], build: (x) => ops.sum(x, [0, 2]) },
  'Sum kept': { inputs: [[2, 3]], build: (x) => ops.sum(x, [1], true) },
  Mean: { inputs: [[2, 3, 4]], build: (x) => ops.mean(x, [1]) },
  L2Loss: { inputs: [[2, 3]], build: ops.l2Loss },
  Reshape: { inputs: [[2, 6]], build: (x) => array.reshape(x, [3, 4]) },
  Transpose: { inputs: [[2, 3, 4]], build: (x) => array.transpose(x, [2, 0, 1]) },
  Pack: {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    build: (...x) => array.stack(x),
  },
  Unpack: {
    inputs: [[3, 2]],
    build: (x) => ops.mul(array.unstack(x)[0] as Tensor, array.unstack(x)[2] as Tensor),
  },
  ConcatV2: {
    inputs: [
      [2, 3],
      [2, 1],
    ],
    build: (...x) => array.concat(x, 1),
  },
  Slice: { inputs: [[3, 4]], build: (x) => array.slice(x, [1, 0], [2, 3]) },
  GatherV2: {
    inputs: [[4, 3]],
    build: (x) => array.gather(x, integers(x.graph, [2, 0, 2, 1, 2, 0], [2, 3])),
  },
  'GatherV2 of a computed table': {
    inputs: [[4, 3]],
    build: (x) => array.gather(ops.square(x), integers(x.graph, [2, 0, 2])),
  },
  'GatherV2 twice from one table': {
    inputs: [[4, 3]],
    build: (x) =>
      ops.add(array.gather(x, integers(x.graph, [3, 0])), array.gather(x, integers(x.graph, [0, 1]))),
  },
  SparseSoftmaxCrossEntropyWithLogits: {
    inputs: [[3, 4]],
    build: (x) => ops.sparseSoftmaxCrossEntropy(x, integers(x.graph, [3, 0, 1])).loss,
  },
};

const attentionInputs = [
  [2, 3, 4, 5],
  [2, 3, 6, 5],
  [2, 3, 6, 5],
];
const attentionMask = (graph: Graph): Tensor =>
  ops.constant(graph, 'float64', [0, 0, 0, 0, 0, 0, 0, 0, 0, -1e30, -1e30, -1e30], [2, 1, 1, 6]);
const drops = (graph: Graph): neural.Dropout => ({
  source: { seed: integers(graph, [7, 3]), sites: 0 },
  rate: 0.3,
});

const table = (graph: Graph, of: (angle: number) => number): Tensor =>
  ops.constant(graph, 'float64', numbers(12, 5).map(of), [4, 3]);

const neuralCases: Record<string, Case> = {
  linear: { inputs: [[2, 3, 4], [5, 4], [5]], build: neural.linear },
  'crossEntropy with smoothing': {
    inputs: [[3, 4]],
    build: (x) => crossEntropy(x, integers(x.graph, [3, 0, 1]), 0.1),
  },
  recomputed: {
    inputs: [[2, 3, 4], [4, 4], [4], [4]],
    build: (x, weight, gamma, beta) =>
      recomputed((read) => {
        const inner = neural.layerNorm(
          neural.linear(read(x), read(weight), read(beta)),
          read(gamma),
          read(beta),
          1e-5,
        );
        return ops.add(neural.dropout(neural.gelu(inner), drops(x.graph)), read(x));
      }),
  },
  gelu: { inputs: [[9]], build: neural.gelu, values: (value) => 3 * value },
  layerNorm: { inputs: [[2, 3, 4], [4], [4]], build: (x, g, b) => neural.layerNorm(x, g, b, 1e-5) },
  'linear without bias': {
    inputs: [
      [2, 3, 4],
      [5, 4],
    ],
    build: (x, w) => neural.linear(x, w),
  },
  'layerNorm without beta': {
    inputs: [[2, 3, 4], [4]],
    build: (x, g) => neural.layerNorm(x, g, undefined, 1e-5),
  },
  gatedGelu: { inputs: [[3, 8]], build: neural.gatedGelu, values: (value) => 3 * value },
  rotate: {
    inputs: [[2, 3, 4, 6]],
    build: (x) => neural.rotate(x, table(x.graph, Math.cos), table(x.graph, Math.sin)),
  },
  dropout: { inputs: [[4, 5]], build: (x) => neural.dropout(x, drops(x.graph)) },
  attention: {
    inputs: attentionInputs,
    build: (q, k, v) => neural.attention(q, k, v, attentionMask(q.graph), undefined),
  },
  'attention with bias': {
    inputs: [...attentionInputs, [2, 3, 4, 6]],
    build: (q, k, v, bias) => neural.attention(q, k, v, attentionMask(q.graph), undefined, bias),
  },
  byPlace: { inputs: [[2, 3, 6]], build: array.byPlace },
  'attention with dropout': {
    inputs: attentionInputs,
    build: (q, k, v) => neural.attention(q, k, v, attentionMask(q.graph), drops(q.graph)),
  },
};

for (const [name, given] of Object.entries({ ...opCases, ...neuralCases })) {
  test(`the gradient of ${name} equals finite differences`, () => check(given));
}

test('every op that has a gradient is in the table above', () => {
  const tested = new Set(Object.keys(opCases).map((name) => name.split(' ')[0]));
  assert.deepEqual(
    Object.keys(opGradients).filter((op) => !tested.has(op)),
    [],
  );
});

/** Compares d(sum of weighted outputs)/d(each input element) with central differences in float64. */
function check({ inputs, build, values = (value) => value }: Case): void {
  const graph = new Graph();
  const doubles = inputs.map((shape, index) => doubleInput(graph, `x${index}`, shape));
  const tensors = doubles.map(({ tensor }) => tensor);
  const output = build(...tensors);
  const coefficients = ops.constant(
    graph,
    'float64',
    numbers(sizeOf(output.shape), 99),
    output.shape as number[],
  );
  const loss = ops.sumAll(ops.mul(output, coefficients));
  const found = gradients(loss, tensors).map((gradient) => gradient && asBits(dense(gradient)));
  const lossBits = asBits(loss);
  const session = new Session(binding, graph);
  try {
    const at = inputs.map((shape, index) => numbers(sizeOf(shape), index).map(values));
    const feeds = (): Feed[] => doubles.map(({ feed }, index) => feed(at[index] as number[]));
    const lossNow = (): number => fromBits(session.run([lossBits], feeds())[0])[0] as number;
    for (const [index, gradient] of found.entries()) {
      const got = gradient ? fromBits(session.run([gradient], feeds())[0]) : numbers(0);
      for (const [element, original] of (at[index] as number[]).entries()) {
        const h = 1e-6;
        const row = at[index] as number[];
        row[element] = original + h;
        const above = lossNow();
        row[element] = original - h;
        const below = lossNow();
        row[element] = original;
        const want = (above - below) / (2 * h);
        const close = Math.abs((got[element] ?? 0) - want) <= 1e-7 * Math.max(1, Math.abs(want));
        assert.ok(close, `input ${index}, element ${element}: got ${got[element]}, want ${want}`);
      }
    }
  } finally {
    session.close();
  }
}

test('an op without a gradient is refused by its name', () => {
  const graph = new Graph();
  const x = ops.placeholder(graph, 'x', 'float32', [2]);
  const y = ops.single(graph, 'Floor', [x], { dtype: 'float32', shape: [2] }, { T: { type: 'float32' } });
  assert.throws(() => gradients(ops.sumAll(y), [x]), /op Floor of node 'Floor' has no gradient/);
});

test('frozen parts get no gradient nodes', () => {
  const size = (targets: (x: Tensor, w: Tensor) => Tensor[]): number => {
    const graph = new Graph();
    const x = ops.placeholder(graph, 'x', 'float32', [2, 3]);
    const w = ops.placeholder(graph, 'w', 'float32', [3, 3]);
    const loss = ops.sumAll(products.matmul(products.matmul(x, w), w));
    const before = graph.nodes.length;
    gradients(loss, targets(x, w));
    return graph.nodes.slice(before).filter(({ op }) => op === 'MatMul').length;
  };
  assert.equal(
    size((x, w) => [x, w]),
    4,
  );
  assert.equal(
    size((x) => [x]),
    2,
  );
});

test('a target that the loss does not depend on has no gradient', () => {
  const graph = new Graph();
  const x = ops.placeholder(graph, 'x', 'float32', [2]);
  const other = ops.placeholder(graph, 'other', 'float32', [2]);
  assert.equal(gradients(ops.sumAll(x), [other])[0], undefined);
});

test('a table that is only gathered from gets its gradient as rows', () => {
  const graph = new Graph();
  const table = ops.placeholder(graph, 'table', 'float32', [100, 4]);
  const rows = array.gather(table, integers(graph, [5, 7]));
  const [gradient] = gradients(ops.sumAll(ops.square(rows)), [table]);
  assert.ok(gradient && isRowGradient(gradient));
  assert.deepEqual(gradient.rows.shape, [2, 4]);
});
