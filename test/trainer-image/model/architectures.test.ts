/** Every family and task against PyTorch and Transformers (test/golden/architectures.py). */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Task } from '../../../trainer-image/model/model.ts';
import { openTrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { nativeBinding } from '../graph/native.ts';
import { PlainAdamW } from './adamw-on-arrays.ts';
import { assertClose, assertNear, compareSteps } from './compare.ts';
import { editConfig, type Golden, goldenBatch, goldenDirectory, updateOf } from './fixtures.ts';
import { openTaskGraph, type TaskBatch } from './task-graph.ts';

const binding = await nativeBinding();
const folder = join(goldenDirectory, 'architectures');
const families = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const labels = ['a', 'b', 'c'];

type TaskGolden = {
  class: string;
  /** By batch; of MaskedLM at the positions alone, of TokenClassification 0 for padding. */
  logits: number[][];
  /** Of the first batch. */
  loss: number;
  /** Norm, and sum of the products with cos(index). */
  gradients: Record<string, [number, number]>;
  steps: Golden['steps'];
};
type FamilyGolden = Pick<Golden, 'settings'> & {
  batches: TaskBatch[];
  tasks: Record<Task, TaskGolden>;
};

for (const { name: family } of families) {
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

    for (const task of ['TokenClassification', 'MaskedLM'] as const) {
      test(`${task}: 50 steps of a plain AdamW have the losses of a PyTorch loop to 1e-4`, () => {
        const graph = openTaskGraph(binding, join(folder, family), { task, labels: labels.length });
        const optimizer = new PlainAdamW(want.settings);
        for (const [step, expected] of want.tasks[task].steps.entries()) {
          const batch = want.batches[step % want.batches.length] as TaskBatch;
          const { loss, gradients } = graph.gradients(batch);
          const norm = optimizer.step(graph.weights, gradients, expected.learningRate);
          assertClose(loss, expected.loss, 1e-4, `loss of step ${step}`);
          assertClose(norm, expected.gradientNorm, 1e-3, `gradient norm of step ${step}`);
        }
        graph.close();
      });
    }

    test('SequenceClassification: 50 steps of the trainer have the losses of a PyTorch loop to 1e-4', async () => {
      const model = await openTrainableModel({
        binding,
        task: sequenceClassification,
        modelDirectory: join(folder, family),
        labels,
        seed: 1,
        dropout: 0,
        update: updateOf(want),
      });
      compareSteps(model, { ...want, steps: want.tasks.SequenceClassification.steps });
      assert.equal(model.tensorCount(), 0);
      model.close();
    });
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

function familyGolden(family: string): FamilyGolden {
  const json = JSON.parse(readFileSync(join(folder, `${family}.json`), 'utf8'));
  const batches = json.batches.map((batch: Record<keyof TaskBatch, never>) => ({
    ...goldenBatch(batch),
    tokenLabels: Int32Array.from(batch.tokenLabels),
    positions: Int32Array.from(batch.positions),
    targets: Int32Array.from(batch.targets),
  }));
  return { ...json, batches };
}

function clearPadding(logits: Float32Array, { attentionMask }: TaskBatch): void {
  for (const [place, bit] of attentionMask.entries()) {
    if (bit === 0) logits.fill(0, place * labels.length, (place + 1) * labels.length);
  }
}

function compareGradient(name: string, values: Float32Array, want: [number, number] | undefined): void {
  assert.ok(want, name);
  const [norm, projection] = want;
  const tolerance = 1e-4 * norm + 1e-6; // the bias of the keys has no gradient but rounding
  const got = Math.hypot(...values);
  assert.ok(Math.abs(got - norm) <= tolerance, `${name}: norm ${got}, want ${norm}`);
  const sum = values.reduce((total, value, i) => total + value * Math.cos(i), 0);
  assert.ok(Math.abs(sum - projection) <= tolerance, `${name}: projection ${sum}, want ${projection}`);
}
