/** 50 training steps of each task equal those of PyTorch on the same weights and batches. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import { writeSafetensors } from '../../../trainer-image/model/safetensors-writer.ts';
import { openTrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { adamW } from '../../../trainer-image/optim/adamw.ts';
import { learningRateAt } from '../../../trainer-image/optim/schedule.ts';
import { withTensors } from '../../../trainer-image/run/tensor-file.ts';
import type { LossOptions } from '../../../trainer-image/tasks/loss.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import { multiLabelClassification } from '../../../trainer-image/tasks/multi-label-classification.ts';
import { regression } from '../../../trainer-image/tasks/regression.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import type { Task } from '../../../trainer-image/tasks/task.ts';
import { tokenClassification } from '../../../trainer-image/tasks/token-classification.ts';
import { nativeBinding } from '../graph/native.ts';
import { copyOfSmallModel, smallModel } from '../model/fixtures.ts';
import { tasksGolden } from './golden.ts';

const binding = await nativeBinding();
const { settings } = tasksGolden;
const weightFile = 'model.safetensors';

type Case = {
  task: Task;
  labels: string[];
  newlyInitialized: string[];
  steps: 'tokenClassification' | 'maskedLM' | 'multiLabel' | 'regression' | 'balanced' | 'focal';
  loss?: LossOptions;
};
const cases: Case[] = [
  {
    task: tokenClassification,
    labels: ['O', 'B-PER', 'I-PER'],
    newlyInitialized: ['classifier.weight', 'classifier.bias'],
    steps: 'tokenClassification',
  },
  {
    task: maskedLM({ probability: 0.15, wholeWord: false }),
    labels: [],
    newlyInitialized: [
      'cls.predictions.transform.dense.weight',
      'cls.predictions.transform.dense.bias',
      'cls.predictions.transform.LayerNorm.weight',
      'cls.predictions.transform.LayerNorm.bias',
      'cls.predictions.bias',
    ],
    steps: 'maskedLM',
  },
  {
    task: multiLabelClassification,
    labels: ['a', 'b', 'c'],
    newlyInitialized: ['classifier.weight', 'classifier.bias'],
    steps: 'multiLabel',
  },
  {
    task: regression,
    labels: [],
    newlyInitialized: ['classifier.weight', 'classifier.bias'],
    steps: 'regression',
  },
  {
    task: sequenceClassification,
    labels: ['a', 'b', 'c'],
    newlyInitialized: ['classifier.weight', 'classifier.bias'],
    steps: 'balanced',
    loss: { classWeights: [0.5, 1, 3] },
  },
  {
    task: sequenceClassification,
    labels: ['a', 'b', 'c'],
    newlyInitialized: ['classifier.weight', 'classifier.bias'],
    steps: 'focal',
    loss: { focalGamma: 2 },
  },
];

/** The batch as the task collates it: positions with a label alone where the task wants those. */
function batchOf(task: Task, padded: (typeof tasksGolden.maskedLM.batches)[number]): Batch {
  const batch = {
    rows: padded.rows,
    length: padded.length,
    inputIds: Int32Array.from(padded.inputIds),
    attentionMask: Int32Array.from(padded.attentionMask),
    tokenTypeIds: new Int32Array(padded.inputIds.length),
    indices: new Int32Array(padded.rows),
    starts: Int32Array.from({ length: padded.rows }, (_, row) => row * padded.length),
  };
  const numbers = padded.labels.flat();
  if (task.labels(3).dtype === 'float32') return { ...batch, labels: Float32Array.from(numbers) };
  const labels = Int32Array.from(numbers);
  if (!task.labels(3).shape.includes('positions')) return { ...batch, labels };
  const positions = Int32Array.from(labels.keys()).filter((place) => labels[place]! >= 0);
  return { ...batch, positions, labels: labels.filter((label) => label >= 0) };
}

for (const { task, labels, newlyInitialized, steps, loss } of cases) {
  test(`50 training steps of ${task.kind} (${steps}) equal the ones of PyTorch`, async () => {
    const want = tasksGolden[steps];
    using base = copyOfSmallModel();
    withTensors(join(smallModel, weightFile), (tensors) =>
      writeSafetensors(
        join(base.directory, weightFile),
        tensors.filter(({ name }) => !name.startsWith('classifier.')),
      ),
    );
    const model = await openTrainableModel({
      binding,
      task,
      modelDirectory: base.directory,
      labels,
      ...(loss && { loss }),
      seed: 1,
      dropout: 0,
      update: { optimizer: adamW(settings), maxGradNorm: settings.maxGradNorm, gradientAccumulationSteps: 1 },
    });
    assert.deepEqual(model.newlyInitialized, newlyInitialized);
    model.restore(
      [...model.weights()].map((tensor) => {
        if (!/^(classifier|cls)\./.test(tensor.name)) return tensor;
        const one = tensor.name.endsWith('LayerNorm.weight') ? 1 : 0;
        return { ...tensor, data: tensor.data.map((_, index) => (((index * 37) % 101) - 50) / 500 + one) };
      }),
    );
    assert.equal(want.steps.length, 50);
    for (const [step, expected] of want.steps.entries()) {
      const learningRate = learningRateAt({ name: 'Linear' }, settings, step);
      const padded = want.batches[step % want.batches.length]!;
      const got = model.trainStep([batchOf(task, padded)], { step, learningRate });
      near(got.loss, expected.loss, 1e-4, `loss of step ${step}`);
      near(got.gradientNorm, expected.gradientNorm, 1e-3, `gradient norm of step ${step}`);
    }
    assert.equal(model.tensorCount(), 0);
    model.close();
  });
}

function near(got: number, want: number, relative: number, what: string): void {
  assert.ok(Math.abs(got - want) <= relative * Math.abs(want), `${what}: ${got} is not ${want}`);
}
