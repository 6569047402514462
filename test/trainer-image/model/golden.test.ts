/** The engine against PyTorch and Transformers (test/golden/make.py). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dense, gradients } from '../../../trainer-image/graph/gradients.ts';
import { Graph } from '../../../trainer-image/graph/graph.ts';
import * as ops from '../../../trainer-image/graph/ops.ts';
import { Session } from '../../../trainer-image/graph/session.ts';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { openWeightFiles } from '../../../trainer-image/model/checkpoint-files.ts';
import {
  openSequenceClassifier,
  type SequenceClassifier,
} from '../../../trainer-image/model/sequence-classifier.ts';
import { learningRateAt } from '../../../trainer-image/optim/schedule.ts';
import { miniLmDirectory } from '../../golden/minilm.ts';
import { nativeBinding } from '../graph/native.ts';
import { type Golden, golden, openSmall, smallModel, updateOf } from './fixtures.ts';

const binding = await nativeBinding();

test('logits of a small BERT equal the ones of Transformers to 1e-4', async () => {
  const model = await openSmall(binding);
  compareLogits(model, golden('bert-small'));
  model.close();
});

test('24 training steps of a small BERT have the losses of a PyTorch loop to 1e-4', async () => {
  const model = await openSmall(binding, { dropout: 0 });
  compareSteps(model, golden('bert-small'));
  model.close();
});

test('logits and 20 training steps of MiniLM equal the ones of PyTorch', async () => {
  const want = golden('minilm');
  const model = await openSequenceClassifier({
    binding,
    modelDirectory: await miniLmDirectory(() => undefined),
    labels: ['ham', 'spam'],
    seed: 1,
    dropout: 0,
    update: updateOf(want),
  });
  assert.deepEqual(model.newlyInitialized, ['classifier.weight', 'classifier.bias']);
  assert.deepEqual(model.unusedKeys, ['embeddings.position_ids']);
  model.restore(
    [...model.weights()].map((tensor) => {
      if (!tensor.name.startsWith('classifier.')) return tensor;
      const value = (index: number): number => (((index * 37) % 101) - 50) / 1000;
      const data = tensor.data.map((_, index) => (tensor.name === 'classifier.weight' ? value(index) : 0));
      return { ...tensor, data };
    }),
  );
  compareLogits(model, want);
  compareSteps(model, want);
  assert.equal(model.tensorCount(), 0);
  model.close();
});

function compareLogits(model: SequenceClassifier, want: Golden): void {
  for (const [index, batch] of want.batches.entries()) {
    const { logits } = model.predict(batch);
    const expected = want.logits[index] as number[];
    assert.equal(logits.length, expected.length);
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - (logits[i] ?? Number.NaN))));
    assert.ok(worst <= 1e-4, `batch ${index}: largest difference ${worst}`);
  }
}

function compareSteps(model: SequenceClassifier, want: Golden): void {
  const schedule = { name: 'linear', ...want.settings } as const;
  for (const [step, expected] of want.steps.entries()) {
    const learningRate = learningRateAt(schedule, step);
    assert.ok(Math.abs(learningRate - expected.learningRate) <= 1e-12, `learning rate of step ${step}`);
    const batch = want.batches[step % want.batches.length];
    assert.ok(batch);
    const got = model.trainStep([batch], { step, learningRate });
    assertClose(got.loss, expected.loss, 1e-4, `loss of step ${step}`);
    assertClose(got.gradientNorm, expected.gradientNorm, 1e-3, `gradient norm of step ${step}`);
  }
}

test('the gradient of each parameter of a small BERT equals the one of PyTorch', () => {
  const want = golden('bert-small');
  const { architecture } = readArchitecture(smallModel, { labels: 3 });
  const graph = new Graph();
  const ids = (name: string) => ops.placeholder(graph, name, 'int32', ['batch', 'length']);
  const inputs = { inputIds: ids('i'), attentionMask: ids('m'), tokenTypeIds: ids('t') };
  const labels = ops.placeholder(graph, 'labels', 'int32', ['batch']);
  const names = architecture.parameters.map(({ name }) => name);
  const weights = architecture.parameters.map(({ shape }, i) =>
    ops.placeholder(graph, `w${i}`, 'float32', shape),
  );
  const logits = architecture.logits(inputs, (name) => weights[names.indexOf(name)] as never);
  const total = ops.sumAll(ops.sparseSoftmaxCrossEntropy(logits, labels).loss);
  const found = gradients(total, weights).map((gradient) => gradient && dense(gradient));
  const session = new Session(binding, graph);
  const files = openWeightFiles(smallModel);
  const batch = want.batches[0];
  assert.ok(batch);
  const shape = [batch.rows, batch.length];
  const got = session.run(found as never, [
    { tensor: inputs.inputIds, data: batch.inputIds, shape },
    { tensor: inputs.attentionMask, data: batch.attentionMask, shape },
    { tensor: inputs.tokenTypeIds, data: batch.tokenTypeIds, shape },
    { tensor: labels, data: batch.labels, shape: [batch.rows] },
    ...architecture.parameters.map((parameter, i) => ({
      tensor: weights[i] as never,
      data: files.read(parameter.name),
      shape: parameter.shape,
    })),
  ]) as Float32Array[];
  files.close();
  session.close();
  for (const [index, name] of names.entries()) {
    const values = [...(got[index] as Float32Array)].map((value) => value / batch.rows);
    const expected = want.gradients[name];
    assert.ok(expected, name);
    const norm = Math.hypot(...values);
    const projection = values.reduce((sum, value, i) => sum + value * Math.cos(i), 0);
    const tolerance = 1e-4 * expected.norm + 1e-7; // the bias of the keys has no gradient but rounding
    assert.ok(Math.abs(norm - expected.norm) <= tolerance, `${name}: norm ${norm}, want ${expected.norm}`);
    assert.ok(
      Math.abs(projection - expected.projection) <= tolerance,
      `${name}: ${projection}, want ${expected.projection}`,
    );
    for (const [i, value] of expected.first.entries())
      assert.ok(
        Math.abs((values[i] ?? 0) - value) <= tolerance,
        `${name}[${i}]: ${values[i]}, want ${value}`,
      );
  }
});

function assertClose(got: number, want: number, relative: number, what: string): void {
  assert.ok(Math.abs(got - want) <= relative * Math.abs(want), `${what}: got ${got}, want ${want}`);
}
