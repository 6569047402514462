/** Every family and task against PyTorch and Transformers (test/golden/architectures.py). */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import type { Task } from '../../../trainer-image/model/model.ts';
import { openTrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import type { GraphTask } from '../../../trainer-image/model/training-graph.ts';
import { maskedLM } from '../../../trainer-image/tasks/masked-lm.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { tokenClassification } from '../../../trainer-image/tasks/token-classification.ts';
import { nativeBinding } from '../graph/native.ts';
import { assertClose, assertNear, compareGradient, compareSteps } from './compare.ts';
import { families, familyGolden, folder, labels, type TaskGolden } from './family-golden.ts';
import { editConfig, updateOf } from './fixtures.ts';
import { openTaskGraph, type TaskBatch } from './task-graph.ts';

const binding = await nativeBinding();
const tasks: Record<Task, GraphTask> = {
  SequenceClassification: sequenceClassification,
  TokenClassification: tokenClassification,
  MaskedLM: maskedLM({ probability: 0.15, wholeWord: false }),
};

/** The labels of a golden batch as the task has them: positions alone where not every row has one. */
function collated(task: Task, batch: TaskBatch): Batch {
  const { tokenLabels, positions, targets, ...rows } = batch;
  if (task === 'SequenceClassification') return rows;
  if (task === 'MaskedLM') return { ...rows, positions, labels: targets };
  const places = Int32Array.from(tokenLabels.keys()).filter((place) => (tokenLabels[place] ?? -1) >= 0);
  return { ...rows, positions: places, labels: places.map((place) => tokenLabels[place] as number) };
}

for (const family of families) {
  const want = familyGolden(family);
  suite(family, () => {
    for (const [task, expected] of Object.entries(want.tasks) as [Task, TaskGolden][]) {
      test(`${task}: class, logits, loss and the gradient of each parameter`, () => {
        const graph = openTaskGraph(binding, join(folder, family), { task, labels: labels.length });
        try {
          assert.equal(graph.className, expected.class);
          assert.deepEqual(graph.newlyInitialized, []);
          for (const [index, batch] of want.batches.entries()) {
            const logits = graph.logits(batch);
            if (task === 'TokenClassification') clearPadding(logits, batch);
            assertNear(logits, expected.logits[index] as number[], `batch ${index}`);
          }
          const { loss, gradients } = graph.gradients(want.batches[0] as TaskBatch);
          assertClose(loss, expected.loss, 1e-4, 'loss');
          assert.deepEqual([...gradients.keys()].sort(), Object.keys(expected.gradients).sort());
          for (const [name, values] of gradients) compareGradient(name, values, expected.gradients[name]);
        } finally {
          graph.close();
        }
      });
    }

    for (const [task, expected] of Object.entries(want.tasks) as [Task, TaskGolden][]) {
      test(`${task}: gradient checkpointing loses no gradient`, () => {
        const options = { task, labels: labels.length, gradientCheckpointing: true };
        const graph = openTaskGraph(binding, join(folder, family), options);
        try {
          const { loss, gradients } = graph.gradients(want.batches[0] as TaskBatch);
          assertClose(loss, expected.loss, 1e-4, 'loss');
          for (const [name, values] of gradients) compareGradient(name, values, expected.gradients[name]);
        } finally {
          graph.close();
        }
      });
    }

    for (const [name, { steps }] of Object.entries(want.tasks) as [Task, TaskGolden][]) {
      test(`${name}: 50 steps of the trainer have the losses of a PyTorch loop to 1e-4`, async () => {
        const model = await openTrainableModel({
          binding,
          task: tasks[name],
          modelDirectory: join(folder, family),
          labels,
          seed: 1,
          dropout: 0,
          update: updateOf(want),
        });
        assert.equal(steps.length, 50);
        compareSteps(model, { ...want, batches: want.batches.map((batch) => collated(name, batch)), steps });
        assert.equal(model.tensorCount(), 0);
        model.close();
      });
    }
  });
}

test('the older names in a config.json of ModernBERT say the same', () => {
  const directory = mkdtempSync(join(tmpdir(), 'modernbert-'));
  cpSync(join(folder, 'modernbert'), directory, { recursive: true });
  editConfig(directory, {
    layer_types: undefined,
    rope_parameters: undefined,
    global_attn_every_n_layers: 3,
    global_rope_theta: 160_000,
    local_rope_theta: 10_000,
  });
  const want = familyGolden('modernbert');
  const graph = openTaskGraph(binding, directory, { task: 'MaskedLM', labels: 0 });
  rmSync(directory, { recursive: true });
  assertNear(graph.logits(want.batches[0] as TaskBatch), want.tasks.MaskedLM.logits[0] as number[], 'logits');
  graph.close();
});

function clearPadding(logits: Float32Array, { attentionMask }: TaskBatch): void {
  for (const [place, bit] of attentionMask.entries()) {
    if (bit === 0) logits.fill(0, place * labels.length, (place + 1) * labels.length);
  }
}
