/** Matrix products in bfloat16: which types tensors and gradients have, and to what their values are rounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as array from '../../../trainer-image/graph/array-ops.ts';
import { dense, gradients } from '../../../trainer-image/graph/gradients.ts';
import { Graph, type Tensor } from '../../../trainer-image/graph/graph.ts';
import * as neural from '../../../trainer-image/graph/neural.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import * as products from '../../../trainer-image/graph/products.ts';
import { recomputed } from '../../../trainer-image/graph/recompute.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { nativeBinding, numbers } from './native.ts';

const binding = await nativeBinding();
const lowGraph = () => new Graph({ products: 'bfloat16' });
const input = (graph: Graph, name: string, shape: number[]): Tensor =>
  ops.placeholder(graph, name, 'float32', shape);

/** The nearest bfloat16, the even one of two: the upper half of a float32, rounded. */
function rounded(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] as number;
  const even = bits + 0x7fff + ((bits >>> 16) & 1);
  return new Float32Array(Uint32Array.of(even & 0xffff0000).buffer)[0] as number;
}

/** Fetches, with `values[i]` fed to the input of that place. */
function run(fetches: readonly Tensor[], inputs: readonly Tensor[], values: readonly number[][]): number[][] {
  const read = fetches.map(ops.widened); // the binding does not give bfloat16 away
  const session = new Session(binding, (fetches[0] as Tensor).graph);
  const feeds = inputs.map((tensor, i) => {
    return { tensor, data: Float32Array.from(values[i] as number[]), shape: tensor.shape as number[] };
  });
  const results = session.run(read, feeds);
  session.close();
  assert.equal(binding.getNumOfTensors(), 0);
  return results.map((result) => [...(result as Float32Array)]);
}

/** a b for a [m, k] and b [k, n]. */
function product(a: readonly number[], b: readonly number[], [m, k, n]: [number, number, number]): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    return Array.from({ length: k }, (_, i) => (a[row * k + i] ?? 0) * (b[i * n + column] ?? 0)).reduce(
      (sum, term) => sum + term,
      0,
    );
  });
}

function assertWithin(got: readonly number[], want: readonly number[], relative: number, what: string): void {
  assert.equal(got.length, want.length, what);
  for (const [i, value] of want.entries())
    assert.ok(
      Math.abs((got[i] as number) - value) <= relative * Math.abs(value),
      `${what} ${i}: ${got[i]}, want ${value}`,
    );
}

/** The distance of two neighbours, relative to them, at most. */
const ulp = 2 ** -7;

test('a product rounds what it gets and what it gives; its gradients, which are float32, come from the rounded', () => {
  const graph = lowGraph();
  const size: [number, number, number] = [3, 5, 4];
  const [a, b] = [input(graph, 'a', [3, 5]), input(graph, 'b', [5, 4])];
  const y = products.matmul(a, b);
  assert.equal(y.dtype, 'bfloat16');
  const weights = ops.constant(graph, 'float32', numbers(12, 7), [3, 4]);
  const found = gradients(ops.sumAll(ops.mul(y, weights)), [a, b]).map((gradient) =>
    dense(gradient as Tensor),
  );
  assert.deepEqual(
    found.map(({ dtype }) => dtype),
    ['float32', 'float32'],
  );
  const values = [numbers(15, 1), numbers(20, 2)];
  const [got, dA, dB] = run([y, ...found], [a, b], values) as [number[], number[], number[]];
  const [lowA, lowB, lowDy] = [...values, numbers(12, 7)].map((list) => list.map(rounded)) as number[][];
  const transposed = (x: readonly number[], rows: number, columns: number): number[] =>
    Array.from({ length: x.length }, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)] as number);
  const want = {
    y: product(lowA as number[], lowB as number[], size),
    dA: product(lowDy as number[], transposed(lowB as number[], 5, 4), [3, 4, 5]),
    dB: product(transposed(lowA as number[], 3, 5), lowDy as number[], [5, 3, 4]),
  };
  for (const [name, values] of Object.entries({ y: got, dA, dB })) {
    assert.deepEqual(values, values.map(rounded), `${name} is not in bfloat16`);
    // Half a step of rounding, and what the order of the sums may change near the middle of two numbers.
    assertWithin(values, want[name as keyof typeof want], 0.51 * ulp, name);
  }
  // The same in float32 is another product.
  const exact = product(values[0] as number[], values[1] as number[], size);
  assert.notDeepEqual(got, exact.map(rounded));
});

test('a batched product does the same', () => {
  const graph = lowGraph();
  const [a, b] = [input(graph, 'a', [2, 3, 5]), input(graph, 'b', [2, 4, 5])];
  const y = products.batchMatmul(a, b, { transposeB: true });
  const values = [numbers(30, 1), numbers(40, 2)] as [number[], number[]];
  const [got = []] = run([y], [a, b], values);
  const want = [0, 1].flatMap((batch) =>
    [0, 1, 2].flatMap((row) =>
      [0, 1, 2, 3].map((column) =>
        [0, 1, 2, 3, 4]
          .map(
            (i) =>
              rounded(values[0][batch * 15 + row * 5 + i] as number) *
              rounded(values[1][batch * 20 + column * 5 + i] as number),
          )
          .reduce((sum, term) => sum + term, 0),
      ),
    ),
  );
  assertWithin(got, want, 0.51 * ulp, 'product');
  assert.deepEqual(got, got.map(rounded));
});

test('a cast down and up rounds values on the way there, and gradients on the way back', () => {
  const graph = new Graph();
  const x = input(graph, 'x', [4]);
  const y = ops.cast(ops.cast(x, 'bfloat16'), 'float32');
  const weights = numbers(4, 3);
  const [dx] = gradients(ops.sumAll(ops.mul(y, ops.constant(graph, 'float32', weights))), [x]) as [Tensor];
  assert.equal(dx.dtype, 'float32');
  const [got, gradient] = run([y, dx], [x], [numbers(4, 1)]);
  assert.deepEqual(got, numbers(4, 1).map(rounded));
  assert.deepEqual(gradient, weights.map(rounded));
  assert.notDeepEqual(gradient, [...Float32Array.from(weights)]);
});

test('a tensor in bfloat16 is moved as it is, and counted on in float32', () => {
  const graph = lowGraph();
  const x = products.matmul(input(graph, 'a', [4, 4]), input(graph, 'b', [4, 4]));
  const index = ops.constant(graph, 'int32', [0, 1, 1, 0]);
  const moved = [
    array.reshape(x, [2, 8]),
    array.transpose(x, [1, 0]),
    array.slice(x, [0, 0], [2, 4]),
    array.gather(x, index),
    array.stack([x, x]),
    array.concat([x, x], 0),
    ops.identity(x),
    ...array.unstack(x),
  ];
  for (const { dtype, node } of moved) assert.equal(dtype, 'bfloat16', node.op);
  const counted = [
    ...[
      ops.add(x, x),
      ops.sub(x, 1),
      ops.mul(2, x),
      ops.div(x, x),
      ops.maximum(x, ops.scalar(graph, 'float32', 0)),
    ],
    ...[ops.exp, ops.tanh, ops.relu, ops.square, ops.softmax, ops.logSoftmax, ops.sumAll, neural.gelu].map(
      (f) => f(x),
    ),
    ops.mean(x, [0]),
    ops.addN([x, x]),
    array.segmentSum(x, index, 2),
    neural.dropout(x, { source: { seed: ops.constant(graph, 'int32', [1, 2]), sites: 0 }, rate: 0.5 }),
  ];
  for (const { dtype, node } of counted) assert.equal(dtype, 'float32', node.op);
});

test('float32 and float64 are left alone where nothing else is asked for', () => {
  const graph = new Graph();
  const single = input(graph, 'a', [2, 2]);
  assert.equal(products.matmul(single, single).dtype, 'float32');
  const low = lowGraph();
  const double = ops.placeholder(low, 'a', 'float64', [2, 2]);
  assert.equal(products.matmul(double, double).dtype, 'float64');
});

test('the parts of a gradient are summed in float32: many small ones are not lost beside a large one', () => {
  const graph = lowGraph();
  const [a, b] = [input(graph, 'a', [1, 1]), input(graph, 'b', [1, 1])];
  const y = products.matmul(a, b);
  const uses = [1, ...Array(64).fill(2 ** -9)].map((weight: number) => ops.mul(y, weight));
  const [dA] = gradients(ops.sumAll(ops.addN(uses)), [a]) as [Tensor];
  const rows = [1, ...Array(64).fill(2 ** -9)] as number[];
  const sums = array.segmentSum(
    ops.cast(ops.constant(graph, 'float32', rows), 'bfloat16'),
    ops.constant(
      graph,
      'int32',
      rows.map(() => 0),
    ),
    1,
  );
  const [gradient, sum] = run([dA, sums], [a, b], [[1], [1]]);
  assert.deepEqual([gradient, sum], [[1.125], [1.125]]);
});

test('the gradient of a bias is summed in float32', () => {
  const graph = lowGraph();
  const [x, w, bias] = [input(graph, 'x', [64, 2]), input(graph, 'w', [3, 2]), input(graph, 'b', [3])];
  const y = neural.linear(x, w, bias);
  assert.equal(y.dtype, 'bfloat16');
  // The first row has the gradient 1, the others 2^-9: in bfloat16 they would not change 1.
  const weights = ops.constant(graph, 'float32', [1, ...Array(63).fill(2 ** -9)], [64, 1]);
  const [dBias] = gradients(ops.sumAll(ops.mul(y, weights)), [bias]) as [Tensor];
  const [got] = run([dBias], [x, w], [numbers(128), numbers(6)]);
  for (const value of got as number[])
    assert.ok(Math.abs(value - (1 + 63 / 512)) <= 0.51 * ulp, String(value));
});

test('what is computed again is kept in bfloat16 where it comes from a product', () => {
  const graph = lowGraph();
  const [a, b] = [input(graph, 'a', [2, 2]), input(graph, 'b', [2, 2])];
  const wide = products.matmul(a, b);
  const y = recomputed((read) => neural.gelu(read(wide)));
  gradients(ops.sumAll(y), [a]);
  const again = graph.nodes.filter(({ name }) => name.includes('again'));
  assert.deepEqual(
    again.map(({ outputs }) => outputs[0]?.dtype),
    ['bfloat16'],
  );
});
