import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import { variable } from '../../../trainer-image/graph/variables.ts';
import type { TrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { adamW } from '../../../trainer-image/optim/adamw.ts';
import { buildUpdate } from '../../../trainer-image/optim/update.ts';
import { nativeBinding } from '../graph/native.ts';
import { golden, openSmall } from '../model/fixtures.ts';

const binding = await nativeBinding();
const { batches, settings } = golden('bert-small');

/** Rows of several batches as one, padded to the longest. */
function joined(parts: readonly Batch[]): Batch {
  const length = Math.max(...parts.map((part) => part.length));
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const padded = (key: 'inputIds' | 'attentionMask' | 'tokenTypeIds') => {
    const ids = new Int32Array(rows * length);
    let row = 0;
    for (const part of parts)
      for (let i = 0; i < part.rows; i++, row++)
        ids.set(part[key].subarray(i * part.length, (i + 1) * part.length), row * length);
    return ids;
  };
  return {
    rows,
    length,
    inputIds: padded('inputIds'),
    attentionMask: padded('attentionMask'),
    tokenTypeIds: padded('tokenTypeIds'),
    labels: Int32Array.from(parts.flatMap(({ labels }) => [...labels])),
    indices: new Int32Array(rows),
    starts: Int32Array.from({ length: rows }, (_, row) => row * length),
  };
}

function firstRows(batch: Batch, rows: number): Batch {
  const part = (ids: Int32Array) => ids.slice(0, rows * batch.length);
  return {
    rows,
    length: batch.length,
    inputIds: part(batch.inputIds),
    attentionMask: part(batch.attentionMask),
    tokenTypeIds: part(batch.tokenTypeIds),
    labels: batch.labels.slice(0, rows),
    indices: batch.indices.slice(0, rows),
    starts: batch.starts.slice(0, rows),
  };
}

function assertSameWeights(got: TrainableModel, want: TrainableModel): void {
  const wanted = new Map([...want.weights()].map(({ name, data }) => [name, data]));
  for (const { name, data } of got.weights()) {
    // Adam divides by the size of the gradient; that of the key biases is nothing but rounding.
    if (name.endsWith('key.bias')) continue;
    const other = wanted.get(name) as Float32Array;
    const worst = data.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (other[i] ?? Number.NaN))),
      0,
    );
    assert.ok(worst < 1e-5, `${name} differs by ${worst}`);
  }
}

test('micro-batches of unequal size, with rows that have no label, teach what one batch teaches', async () => {
  const [a, b, c, d] = batches as [Batch, Batch, Batch, Batch];
  const unlabelled = { ...b, labels: b.labels.map((label, row) => (row < 4 ? -100 : label)) };
  const steps = [[a, unlabelled, firstRows(c, 1)], [d], [c, firstRows(d, 2)], [b, a, unlabelled]];
  const whole = await openSmall(binding, { dropout: 0 });
  const parts = await openSmall(binding, { dropout: 0, update: { gradientAccumulationSteps: 3 } });
  for (const [step, micro] of steps.entries()) {
    const want = whole.trainStep([joined(micro)], { step, learningRate: 1e-3 });
    const got = parts.trainStep(micro, { step, learningRate: 1e-3 });
    assert.ok(Math.abs(got.loss - want.loss) < 1e-5 * want.loss, `${step}: ${got.loss}, want ${want.loss}`);
    assert.ok(Math.abs(got.gradientNorm - want.gradientNorm) < 1e-4 * want.gradientNorm);
  }
  assertSameWeights(parts, whole);
  assert.equal(parts.tensorCount(), 0);
  whole.close();
  parts.close();
});

test('micro-batches draw different dropout masks, the same ones in each run', async () => {
  const batch = batches[0] as Batch;
  const losses = async (micro: readonly Batch[]): Promise<number> => {
    const model = await openSmall(binding, { dropout: 0.2, update: { gradientAccumulationSteps: 2 } });
    const { loss } = model.trainStep(micro, { step: 0, learningRate: 1e-3 });
    model.close();
    return loss;
  };
  const twice = await losses([batch, batch]);
  assert.equal(await losses([batch, batch]), twice);
  assert.notEqual(await losses([batch]), twice);
});

test('without accumulation the graph has no accumulators and takes one batch', async () => {
  const count = (gradientAccumulationSteps: number): Record<string, number> => {
    const graph = new Graph();
    const weight = variable(graph, 'w', [2]);
    const loss = { lossSum: ops.sumAll(ops.square(weight.value)), count: ops.scalar(graph, 'float32', 1) };
    const optimizer = adamW(settings);
    buildUpdate(graph, [weight], loss, { optimizer, maxGradNorm: 1, gradientAccumulationSteps });
    const of = (op: string) => graph.nodes.filter((node) => node.op === op).length;
    return { variables: of('VarHandleOp'), additions: of('AssignAddVariableOp') };
  };
  assert.deepEqual(count(1), { variables: 3, additions: 0 });
  assert.deepEqual(count(2), { variables: 4, additions: 1 });
  const model = await openSmall(binding);
  const batch = batches[0] as Batch;
  const two = () => model.trainStep([batch, batch], { step: 0, learningRate: 1e-3 });
  assert.throws(two, /without accumulators got 2 micro-batches/);
  model.close();
});
