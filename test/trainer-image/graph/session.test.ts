import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import * as products from '../../../trainer-image/graph/products.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { variable } from '../../../trainer-image/graph/variables.ts';
import { nativeBinding } from './native.ts';

const binding = await nativeBinding();

test('one graph takes batches of any size', () => {
  const graph = new Graph();
  const x = ops.placeholder(graph, 'x', 'float32', ['batch', 2]);
  const total = ops.sum(x, [1]);
  const session = new Session(binding, graph);
  for (const rows of [1, 3, 7]) {
    const data = Float32Array.from({ length: rows * 2 }, (_, i) => i);
    const [got] = session.run([total], [{ tensor: x, data, shape: [rows, 2] }]);
    assert.deepEqual(
      [...(got as Float32Array)],
      Array.from({ length: rows }, (_, row) => 4 * row + 1),
    );
  }
  session.close();
});

test('feeds that disagree about a named dimension are refused by name', () => {
  const graph = new Graph();
  const x = ops.placeholder(graph, 'x', 'float32', ['batch']);
  const y = ops.placeholder(graph, 'y', 'float32', ['batch']);
  const session = new Session(binding, graph);
  const feed = (tensor: typeof x, count: number) => ({
    tensor,
    data: new Float32Array(count),
    shape: [count],
  });
  assert.throws(
    () => session.run([ops.add(x, y)], [feed(x, 2), feed(y, 3)]),
    /Dimension 'batch' is 2 in 'x' but 3 in 'y'/,
  );
  assert.throws(
    () => session.run([x], [{ tensor: x, data: new Float32Array(4), shape: [2, 2] }]),
    /Feed of 'x' has shape \[2, 2\], want \[batch\]/,
  );
  session.close();
});

test('shapes that do not fit are refused while building', () => {
  const graph = new Graph();
  const x = ops.placeholder(graph, 'x', 'float32', ['batch', 3]);
  const y = ops.placeholder(graph, 'y', 'float32', ['length', 3]);
  assert.throws(() => ops.add(x, y), /do not fit together/);
  assert.throws(() => products.matmul(x, y), /Cannot multiply \[batch, 3\] by \[length, 3\]/);
  assert.throws(() => graph.dimension('width'), /No placeholder has the dimension 'width'/);
});

test('an error at run time names the node', () => {
  const graph = new Graph();
  const logits = ops.placeholder(graph, 'logits', 'float32', [1, 2]);
  const { loss } = graph.scope('head', () =>
    ops.sparseSoftmaxCrossEntropy(logits, ops.constant(graph, 'int32', [5])),
  );
  const session = new Session(binding, graph);
  const feeds = [{ tensor: logits, data: new Float32Array(2), shape: [1, 2] }];
  assert.throws(() => session.run([loss], feeds), /head\/SparseSoftmaxCrossEntropyWithLogits/);
  assert.equal(binding.getNumOfTensors(), 0);
  session.close();
});

test('a variable owns its memory: later changes of the fed array do not reach it', () => {
  const graph = new Graph();
  const weight = variable(graph, 'weight', [2]);
  const session = new Session(binding, graph);
  const data = Float32Array.of(1, 2);
  session.run([weight.assigned], [{ tensor: weight.next, data, shape: [2] }]);
  data.fill(9);
  assert.deepEqual([...(session.run([weight.value], [])[0] as Float32Array)], [1, 2]);
  session.close();
});

test('neither runs nor failed runs leave tensors, and closing frees the graph', () => {
  const before = binding.getNumOfSavedModels();
  const graph = new Graph();
  const x = ops.placeholder(graph, 'x', 'float32', [2]);
  const y = ops.square(x);
  const z = ops.neg(x);
  const session = new Session(binding, graph);
  const feeds = [{ tensor: x, data: new Float32Array(2), shape: [2] }];
  for (let i = 0; i < 20; i++) session.run([y, z], feeds);
  assert.throws(() => session.run([y], []), /x/);
  assert.equal(binding.getNumOfTensors(), 0);
  session.close();
  session.close();
  assert.equal(binding.getNumOfSavedModels(), before);
  assert.throws(() => session.run([y], feeds), /closed/);
});
