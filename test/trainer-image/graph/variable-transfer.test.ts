import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { assignVariables, chunksOf, variableReader } from '../../../trainer-image/graph/variable-transfer.ts';
import { variable } from '../../../trainer-image/graph/variables.ts';
import { nativeBinding } from './native.ts';

test('of two chunks only the one that was read last is in memory', async () => {
  const graph = new Graph();
  const size = 9 * 2 ** 20; // 36 MiB each: two do not fit into one chunk
  const variables = ['a', 'b'].map((name) => variable(graph, name, [size]));
  assert.equal(chunksOf(variables).length, 2);
  const session = new Session(await nativeBinding(), graph);
  assignVariables(session, variables, ({ name }) => new Float32Array(size).fill(name === 'a' ? 1 : 2));
  const read = variableReader(session, variables);
  const [a, b] = variables.map(read) as [Float32Array, Float32Array];
  assert.equal(a.length, 0);
  assert.deepEqual([b.length, b[0], b.at(-1)], [size, 2, 2]);
  assert.equal(read(variables[0]!)[size - 1], 1);
  session.close();
});
