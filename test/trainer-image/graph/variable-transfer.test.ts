import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import {
  assignVariables,
  chunksOf,
  readFirstValues,
  variableReader,
} from '../../../trainer-image/graph/variable-transfer.ts';
import { variable, zeroVariables } from '../../../trainer-image/graph/variables.ts';
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

test('first values are read one chunk ahead, assigned beside what else is fetched, and emptied', async () => {
  const graph = new Graph();
  const variables = ['a', 'b', 'c'].map((name) => variable(graph, name, [4]));
  const state = variable(graph, 'state', [2]);
  const cleared = zeroVariables(graph, [state], 'clear');
  const session = new Session(await nativeBinding(), graph);
  const read: Float32Array[] = [];
  const next = async (): Promise<Float32Array> => {
    read.push(new Float32Array(4).fill(read.length + 1));
    return read.at(-1) as Float32Array;
  };
  const oneEach = 16;
  const values = readFirstValues(variables, next, oneEach);
  assert.equal(read.length, 1, 'reading begins before there is a session');
  await values.assign(session, variables, [cleared]);
  const want = [1, 2, 3].map((value) => new Float32Array(4).fill(value));
  const fetches = [...variables, state].map(({ value }) => value);
  assert.deepEqual(session.run(fetches, []), [...want, new Float32Array(2)]);
  assert.deepEqual(
    read.map(({ length }) => length),
    [0, 0, 0],
  );
  session.close();
});

test('a value that cannot be read fails the assignment, after all reading has ended', async () => {
  const graph = new Graph();
  const variables = ['a', 'b'].map((name) => variable(graph, name, [4]));
  const session = new Session(await nativeBinding(), graph);
  let ended = false;
  const values = readFirstValues(variables, async ({ name }) => {
    if (name === 'a') throw new Error('damaged');
    await new Promise((resolve) => setTimeout(resolve, 20));
    ended = true;
    return new Float32Array(4);
  });
  await assert.rejects(values.assign(session, variables, []), /damaged/);
  assert.equal(ended, false);
  await values.settled();
  assert.equal(ended, true);
  session.close();
});
