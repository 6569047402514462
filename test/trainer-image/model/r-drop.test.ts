import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dense, gradients } from '../../../trainer-image/graph/gradients.ts';
import { Graph, type Tensor } from '../../../trainer-image/graph/graph.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { divergence, rDropLoss } from '../../../trainer-image/model/r-drop.ts';
import { nativeBinding } from '../graph/native.ts';
import { golden, goldenDirectory, openSmall } from './fixtures.ts';

const binding = await nativeBinding();
type RDrop = { logits: [number[], number[]]; divergence: number; gradients: [number[], number[]] };
const { rDrop } = JSON.parse(readFileSync(join(goldenDirectory, 'training.json'), 'utf8')) as {
  rDrop: RDrop;
};

test('the divergence of two predictions and its gradients are those of the authors', () => {
  const graph = new Graph();
  const logits = rDrop.logits.map((_, i) => ops.placeholder(graph, `logits${i}`, 'float32', [4, 3]));
  const total = ops.sumAll(divergence(...(logits as [Tensor, Tensor])));
  const found = gradients(total, logits).map((gradient) => gradient && dense(gradient)) as Tensor[];
  const session = new Session(binding, graph);
  const feeds = logits.map((tensor, i) => {
    return { tensor, data: Float32Array.from(rDrop.logits[i] as number[]), shape: [4, 3] };
  });
  const [value, ...got] = session.run([total, ...found], feeds);
  session.close();
  assert.ok(Math.abs(Number(value?.[0]) - rDrop.divergence) < 1e-5 * rDrop.divergence);
  for (const [i, gradient] of got.entries())
    for (const [j, want] of (rDrop.gradients[i] as number[]).entries())
      assert.ok(Math.abs(Number(gradient[j]) - want) < 1e-6, `${i}, ${j}: ${gradient[j]}, want ${want}`);
});

test('rows without a label have no part in the divergence', () => {
  const graph = new Graph();
  const [first, second] = rDrop.logits.map((values) => ops.constant(graph, 'float32', values, [4, 3]));
  const none = (): { lossSum: Tensor; count: Tensor } => {
    return { lossSum: ops.scalar(graph, 'float32', 0), count: ops.scalar(graph, 'float32', 1) };
  };
  const lossOf = (labels: number[]): Tensor =>
    rDropLoss([first as Tensor, second as Tensor], ops.constant(graph, 'int32', labels), 2, none).lossSum;
  const fetches = [lossOf([0, 1, 2, 0]), lossOf([0, -100, -100, -100]), lossOf([-100, 1, 2, 0])];
  const session = new Session(binding, graph);
  const [all, one, others] = session.run(fetches, []).map((data) => Number(data[0])) as [
    number,
    number,
    number,
  ];
  session.close();
  assert.ok(Math.abs(all - 2 * rDrop.divergence) < 1e-5);
  assert.ok(one > 0 && others > 0 && Math.abs(one + others - all) < 1e-5);
});

test('without dropout both predictions agree and R-Drop changes nothing; with it, it is part of the loss', async () => {
  const batch = golden('bert-small').batches[0];
  assert.ok(batch);
  const lossOf = async (dropout: number, rDropAlpha?: number): Promise<number> => {
    const model = await openSmall(binding, { dropout, update: { rDropAlpha } });
    const { loss } = model.trainStep([batch], { step: 0, learningRate: 0 });
    assert.equal(model.tensorCount(), 0);
    model.close();
    return loss;
  };
  assert.ok(Math.abs((await lossOf(0, 5)) - (await lossOf(0))) < 1e-6);
  const [small, large] = [await lossOf(0.3, 1), await lossOf(0.3, 3)];
  assert.ok(large > small + 0.01, `${large}, ${small}`);
});
