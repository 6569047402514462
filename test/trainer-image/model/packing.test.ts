/** Packed rows: each example has the logits, the loss and the gradients that it has in a row of its own. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { packRows } from '../../../trainer-image/data/batch.ts';
import type { EncodedSplit } from '../../../trainer-image/data/encoded.ts';
import { planEpoch } from '../../../trainer-image/data/epoch.ts';
import { readArchitecture } from '../../../trainer-image/model/architecture.ts';
import type { Task } from '../../../trainer-image/model/model.ts';
import { nativeBinding } from '../graph/native.ts';
import { assertClose, assertNear, compareGradient } from './compare.ts';
import { families, familyGolden, folder, labels, type TaskGolden } from './family-golden.ts';
import { golden, openSmall } from './fixtures.ts';
import { openTaskGraph, type TaskBatch } from './task-graph.ts';

const binding = await nativeBinding();
/** The position embeddings of the small models end here. */
const maxLength = 38;
const vocabularyOf = { SequenceClassification: 3, TokenClassification: 3, MaskedLM: 90 };

/** A row of a golden batch without its padding. */
type Example = Pick<TaskBatch, 'inputIds' | 'tokenTypeIds' | 'tokenLabels' | 'positions' | 'targets'> & {
  label: number;
  /** Golden logits of the example, those of MaskedLM at its positions. */
  logits: number[];
};

function examplesOf(batch: TaskBatch, task: Task, logits: readonly number[]): Example[] {
  const width = vocabularyOf[task];
  return Array.from({ length: batch.rows }, (_, row) => {
    const start = row * batch.length;
    const length = batch.attentionMask.subarray(start, start + batch.length).lastIndexOf(1) + 1;
    const own = (place: number) => place >= start && place < start + batch.length;
    const places = {
      SequenceClassification: [row],
      TokenClassification: Array.from({ length }, (_, token) => start + token),
      MaskedLM: Array.from(batch.positions.keys()).filter((index) => own(batch.positions[index]!)),
    }[task];
    return {
      inputIds: batch.inputIds.slice(start, start + length),
      tokenTypeIds: batch.tokenTypeIds.slice(start, start + length),
      tokenLabels: batch.tokenLabels.slice(start, start + length),
      positions: batch.positions.filter(own).map((place) => place - start),
      targets: batch.targets.filter((_, index) => own(batch.positions[index]!)),
      label: batch.labels[row]!,
      logits: places.flatMap((place) => logits.slice(place * width, (place + 1) * width)),
    };
  });
}

/** The examples in as few rows as best-fit decreasing finds, and the order in which they lie there. */
function packed(examples: readonly Example[], padTokenId: number): { batch: TaskBatch; order: Int32Array } {
  const lengths = examples.map(({ inputIds }) => inputIds.length);
  const split = {
    rows: examples.length,
    ids: Int32Array.from(examples.flatMap(({ inputIds }) => [...inputIds])),
    typeIds: Uint8Array.from(examples.flatMap(({ tokenTypeIds }) => [...tokenTypeIds])),
    offsets: Int32Array.from(
      [0, ...lengths].map((_, row) => lengths.slice(0, row).reduce((a, b) => a + b, 0)),
    ),
    padTokenId,
  } as unknown as EncodedSplit;
  const plan = planEpoch(split, {
    batchSize: examples.length,
    gradientAccumulationSteps: 1,
    maxLength,
    trainSamplingStrategy: 'GroupByLength',
    packing: 'BestFitDecreasing',
    seed: 1,
    epoch: 0,
  });
  const rows = packRows(split, plan.rows, plan.sequences);
  const tokenLabels = new Int32Array(rows.inputIds.length).fill(-100);
  const at = Array.from(plan.rows, (row, index) => ({ ...examples[row]!, start: rows.starts[index]! }));
  for (const { start, tokenLabels: own } of at) tokenLabels.set(own, start);
  const batch = {
    ...rows,
    labels: Int32Array.from(at, ({ label }) => label),
    tokenLabels,
    positions: Int32Array.from(at.flatMap(({ start, positions }) => Array.from(positions, (p) => start + p))),
    targets: Int32Array.from(at.flatMap(({ targets }) => [...targets])),
  };
  return { batch, order: plan.rows };
}

for (const family of families) {
  const want = familyGolden(family);
  suite(family, () => {
    for (const [task, expected] of Object.entries(want.tasks) as [Task, TaskGolden][]) {
      if (family === 'modernbert-mean' && task === 'SequenceClassification') continue;
      test(`${task}: packed rows have the golden logits, loss and gradients`, () => {
        const graph = openTaskGraph(binding, join(folder, family), {
          task,
          labels: labels.length,
          packed: true,
        });
        const padTokenId = /roberta/.test(family) ? 1 : 0;
        const byBatch = want.batches.map((batch, index) => examplesOf(batch, task, expected.logits[index]!));
        try {
          const examples = byBatch.flat().filter(({ inputIds }) => inputIds.length <= maxLength);
          const { batch, order } = packed(examples, padTokenId);
          assert.ok(examples.length >= 13 && batch.rows < examples.length / 2, `${batch.rows} rows`);
          const logits = wantedLogits(task, batch, graph.logits(batch));
          assertNear(
            logits,
            Array.from(order).flatMap((row) => examples[row]!.logits),
            'logits',
          );

          const { loss, gradients } = graph.gradients(packed(byBatch[0]!, padTokenId).batch);
          assertClose(loss, expected.loss, 1e-4, 'loss');
          for (const [name, values] of gradients) compareGradient(name, values, expected.gradients[name]);
        } finally {
          graph.close();
        }
      });
    }
  });
}

/** Without the padding, of which TokenClassification gives logits too here. */
function wantedLogits(task: Task, { attentionMask }: TaskBatch, logits: Float32Array): number[] {
  if (task !== 'TokenClassification') return [...logits];
  return Array.from(attentionMask.keys())
    .filter((place) => attentionMask[place] !== 0)
    .flatMap((place) => [...logits.subarray(place * labels.length, (place + 1) * labels.length)]);
}

/** How far losses may be apart, and norms of gradients. */
const tolerances = { float32: [1e-4, 1e-3], bfloat16: [2 ** -8, 2 ** -6] } as const;

for (const [products, [ofLoss, ofNorm]] of Object.entries(tolerances)) {
  const title = `a step on packed rows is the step on the same rows by themselves, with products in ${products}`;
  test(title, async () => {
    const bf16 = products === 'bfloat16';
    const want = golden('bert-small');
    const examples = want.batches.slice(0, 2).flatMap((batch) => {
      const task = 'SequenceClassification';
      const tokenLabels = new Int32Array(batch.inputIds.length);
      const none = new Int32Array();
      return examplesOf({ ...batch, tokenLabels, positions: none, targets: none }, task, []);
    });
    const { batch } = packed(examples, 0);
    assert.ok(batch.rows < examples.length);
    const alone = await openSmall(binding, { dropout: 0, update: { gradientAccumulationSteps: 2, bf16 } });
    const together = await openSmall(binding, { dropout: 0, packed: true, update: { bf16 } });
    for (let step = 0; step < 5; step++) {
      const at = { step, learningRate: 1e-3 };
      const [a, b] = [alone.trainStep(want.batches.slice(0, 2), at), together.trainStep([batch], at)];
      assertClose(b.loss, a.loss, ofLoss, `loss of step ${step}`);
      assertClose(b.gradientNorm, a.gradientNorm, ofNorm, `gradient norm of step ${step}`);
    }

    assert.equal(together.tensorCount(), 0);
    alone.close();
    together.close();
  });
}

test('a head that takes the mean over whole rows refuses packed ones by name', () => {
  const of = (task: Task) =>
    readArchitecture(join(folder, 'modernbert-mean'), { task, labels: labels.length, packed: true });
  assert.throws(() => of('SequenceClassification'), {
    category: 'ConfigError',
    message: /BestFitDecreasing.*SequenceClassification.*modernbert.*classifier_pooling/,
  });
  assert.equal(of('TokenClassification').architecture.modelType, 'modernbert');
});
