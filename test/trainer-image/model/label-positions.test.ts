/** Heads compute nothing for positions without a label, in training and in prediction. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import { openTrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { buildTrainingGraph } from '../../../trainer-image/model/training-graph.ts';
import { sgd } from '../../../trainer-image/optim/sgd.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import { tokenClassification } from '../../../trainer-image/tasks/token-classification.ts';
import { nativeBinding } from '../graph/native.ts';
import { families, folder, labels } from './family-golden.ts';
import { golden, updateOf } from './fixtures.ts';

const vocabulary = 90;
const update = updateOf(golden('bert-small'));
const tasks = [
  { task: maskedLM({ probability: 0.15, wholeWord: false }), width: vocabulary },
  { task: tokenClassification, width: labels.length },
];

for (const family of families) {
  for (const { task, width } of tasks) {
    test(`${family}: ${task.name} has logits at labelled positions alone`, () => {
      const options = { task: task.name, labels: labels.length };
      const { architecture } = readArchitecture(join(folder, family), options);
      const { graph } = buildTrainingGraph(architecture, { task, labels: labels.length }, update);
      const shapes = graph.nodes.flatMap(({ outputs }) => outputs.map(({ shape }) => shape));
      const wide = shapes.filter((shape) => shape.at(-1) === width && typeof shape[0] === 'string');
      assert.ok(wide.length > 3, 'logits, their gradients and what belongs to them');
      assert.deepEqual(new Set(wide.map(([rows]) => rows)), new Set(['positions']));
      // Nor does the last layer's feed-forward part, the widest there is.
      const inner = shapes.filter(
        ([rows, columns]) => rows === 'positions' && columns === architecture.sizes.intermediate,
      );
      assert.ok(inner.length > 0);
    });
  }
}

test('a batch without any label, such as the last token of a text alone, has no loss and teaches nothing', async () => {
  const model = await openTrainableModel({
    binding: await nativeBinding(),
    task: maskedLM({ probability: 0.15, wholeWord: false }),
    modelDirectory: join(folder, 'bert'),
    labels: [],
    seed: 1,
    update: { ...update, optimizer: sgd({ momentum: 0, weightDecay: 0 }) },
  });
  const none = new Int32Array();
  const [zero, one] = [Int32Array.of(0), Int32Array.of(1)];
  const row = { inputIds: one, attentionMask: one, tokenTypeIds: zero, indices: zero, starts: zero };
  const batch = { rows: 1, length: 1, ...row, positions: none, labels: none };
  const before = [...model.weights()].map(({ data }) => data.slice());
  const { lossSum, count } = model.predict(batch);
  assert.deepEqual([lossSum, count], [0, 0]);
  assert.deepEqual(model.trainStep([batch], { step: 0, learningRate: 1 }), { loss: 0, gradientNorm: 0 });
  assert.deepEqual(
    [...model.weights()].map(({ data }) => data.slice()),
    before,
  );
  model.close();
});
