import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import { dropThreshold, keepMask } from '../../../trainer-image/graph/random.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { nativeBinding } from './native.ts';

const binding = await nativeBinding();
const rows = 400;
const columns = 251; // odd: the last random word is used in part

function masks(rate: number) {
  const graph = new Graph();
  const seed = ops.placeholder(graph, 'seed', 'int32', [2]);
  ops.placeholder(graph, 'x', 'int32', ['batch']);
  const source = { seed, sites: 0 };
  const two = [keepMask(source, ['batch', columns], rate), keepMask(source, ['batch', columns], rate)];
  const session = new Session(binding, graph);
  const x = graph.nodes.find(({ name }) => name === 'x')?.outputs[0];
  assert.ok(x);
  return {
    scale: two[0]?.scale ?? 0,
    run: (a: number, b: number): [Uint8Array, Uint8Array] =>
      session.run(
        two.map(({ keep }) => keep),
        [
          { tensor: seed, data: Int32Array.of(a, b), shape: [2] },
          { tensor: x, data: new Int32Array(rows), shape: [rows] },
        ],
      ) as [Uint8Array, Uint8Array],
    close: () => session.close(),
  };
}

const share = (mask: Uint8Array): number => mask.reduce((sum, bit) => sum + bit, 0) / mask.length;
const agreement = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, bit, i) => sum + Number(bit === b[i]), 0) / a.length;

for (const rate of [0.5, 0.1, 0.01]) {
  test(`a rate of ${rate} drops that share, and the scale keeps the mean`, () => {
    const { run, scale, close } = masks(rate);
    const kept = share(run(1, 1)[0]);
    const deviation = Math.sqrt((rate * (1 - rate)) / (rows * columns));
    assert.ok(Math.abs(1 - kept - rate) < 5 * deviation + 0.02 * rate, `kept ${kept}`);
    assert.ok(Math.abs(kept * scale - 1) < 5 * deviation * scale, `kept ${kept}, scale ${scale}`);
    close();
  });
}

test('the same seed and step give the same masks; another seed, step or place gives others', () => {
  const { run, close } = masks(0.5);
  const [first, second] = run(3, 4);
  assert.deepEqual(run(3, 4), [first, second]);
  for (const other of [second, run(3, 5)[0], run(4, 4)[0]]) {
    const same = agreement(first, other);
    assert.ok(Math.abs(same - 0.5) < 0.01, `agreement ${same}`);
  }
  close();
});

test('eight bits serve where they are exact to 2 %, else sixteen', () => {
  assert.deepEqual(dropThreshold(0.1), { bits: 8, threshold: 26 });
  assert.deepEqual(dropThreshold(0.5), { bits: 8, threshold: 128 });
  assert.deepEqual(dropThreshold(0.01), { bits: 16, threshold: 655 });
  assert.deepEqual(dropThreshold(0.00001), { bits: 16, threshold: 1 });
  assert.deepEqual(dropThreshold(0.99999), { bits: 16, threshold: 65_535 });
});
