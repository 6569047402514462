/** 50 training steps of each task equal those of PyTorch on the same weights and batches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import { openSequenceClassifier } from '../../../trainer-image/model/sequence-classifier.ts';
import { adamW } from '../../../trainer-image/optim/adamw.ts';
import { learningRateAt } from '../../../trainer-image/optim/schedule.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import type { Task } from '../../../trainer-image/tasks/task.ts';
import { tokenClassification } from '../../../trainer-image/tasks/token-classification.ts';
import { nativeBinding } from '../graph/native.ts';
import { smallModel } from '../model/fixtures.ts';
import { tasksGolden } from './golden.ts';

const binding = await nativeBinding();
const { settings } = tasksGolden;

type Case = {
  task: Task;
  labels: string[];
  newlyInitialized: string[];
  steps: keyof Pick<typeof tasksGolden, 'tokenClassification' | 'maskedLM'>;
};
const cases: Case[] = [
  {
    task: tokenClassification,
    labels: ['O', 'B-PER', 'I-PER'],
    newlyInitialized: [],
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
];

/** The batch as the task collates it: masked positions alone where the task wants those. */
function batchOf(task: Task, padded: (typeof tasksGolden.maskedLM.batches)[number]): Batch {
  const batch = {
    rows: padded.rows,
    length: padded.length,
    inputIds: Int32Array.from(padded.inputIds),
    attentionMask: Int32Array.from(padded.attentionMask),
    tokenTypeIds: new Int32Array(padded.inputIds.length),
    indices: new Int32Array(padded.rows),
  };
  const labels = Int32Array.from(padded.labels);
  if (!task.labels.shape.includes('positions')) return { ...batch, labels };
  const positions = Int32Array.from(labels.keys()).filter((place) => labels[place]! >= 0);
  return { ...batch, positions, labels: labels.filter((label) => label >= 0) };
}

for (const { task, labels, newlyInitialized, steps } of cases) {
  test(`50 training steps of ${task.name} equal the ones of PyTorch`, async () => {
    const want = tasksGolden[steps];
    const model = await openSequenceClassifier({
      binding,
      task,
      modelDirectory: smallModel,
      labels,
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
