/** The engine against PyTorch and Transformers (test/golden/make.py). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { miniLmDirectory } from '../../golden/minilm.ts';
import { nativeBinding } from '../graph/native.ts';
import { compareLogits, compareSteps } from './compare.ts';
import { golden, openSmall, updateOf } from './fixtures.ts';

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

test('logits and 50 training steps of MiniLM equal the ones of PyTorch', async () => {
  const want = golden('minilm');
  const model = await openTrainableModel({
    binding,
    task: sequenceClassification,
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
