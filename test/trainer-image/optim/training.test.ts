/** Ways to train against Hugging Face's Trainer (test/golden/training.py). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunConfig } from '../../../crds/trainer-contract.ts';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import type { NamedTensor } from '../../../trainer-image/model/tensor.ts';
import { optimizerOf } from '../../../trainer-image/optim/optimizer-of.ts';
import { nativeBinding } from '../graph/native.ts';
import { golden, goldenDirectory, openSmall } from '../model/fixtures.ts';

type Case = Pick<
  RunConfig['training'],
  'optimizer' | 'learningRate' | 'batchSize' | 'gradientAccumulationSteps'
> & {
  labelSmoothing?: number;
  freeze?: string[];
  layerwiseLearningRateDecay?: number;
  steps: { loss: number; gradientNorm: number; learningRate: number }[];
  weights: Fingerprints;
  ema?: { decay: number };
  /** Of the moving average; the logits are those of the first 6 rows. */
  average?: { weights: Fingerprints; logits: number[] };
};
type Fingerprints = Record<string, { norm: number; projection: number }>;
const { weightDecay, cases } = JSON.parse(readFileSync(join(goldenDirectory, 'training.json'), 'utf8')) as {
  weightDecay: number;
  cases: Record<string, Case>;
};
const binding = await nativeBinding();

for (const [name, wanted] of Object.entries(cases)) {
  test(`${name}: losses, gradient norms and weights of Hugging Face's Trainer`, () => follow(wanted));
}

async function follow(wanted: Case): Promise<void> {
  const { gradientAccumulationSteps } = wanted;
  const model = await openSmall(binding, {
    dropout: 0,
    update: {
      optimizer: optimizerOf({ ...wanted, weightDecay }),
      maxGradNorm: 1,
      gradientAccumulationSteps,
      labelSmoothing: wanted.labelSmoothing ?? 0,
      freeze: wanted.freeze?.map((prefix) => prefix.replace(/\.$/, '')),
      layerwiseLearningRateDecay: wanted.layerwiseLearningRateDecay,
      ema: wanted.ema,
    },
  });
  const steps = stepsOf(wanted);
  for (const [step, { learningRate, ...want }] of wanted.steps.entries()) {
    const microBatches = steps[step % steps.length] as Batch[];
    const got = model.trainStep(microBatches, { step, learningRate });
    assertClose(got.loss, want.loss, 1e-4, `loss of step ${step}`);
    assertClose(got.gradientNorm, want.gradientNorm, 1e-3, `gradient norm of step ${step}`);
  }
  assertFingerprints(model.weights(), wanted.weights, wanted);
  const { average } = wanted;
  assertFingerprints(model.evaluatedWeights(), average?.weights ?? wanted.weights, wanted);
  if (average !== undefined) {
    const [logits] = model.predict(golden('bert-small').batches[0] as Batch).outputs;
    for (const [i, want] of average.logits.entries())
      assert.ok(Math.abs((logits?.[i] as number) - want) < 1e-4, `logit ${i}: ${logits?.[i]}, want ${want}`);
  }
  assert.equal(model.tensorCount(), 0);
  model.close();
}

function assertFingerprints(weights: Iterable<NamedTensor>, wanted: Fingerprints, { optimizer }: Case): void {
  for (const { name, data } of weights) {
    const want = wanted[name];
    assert.ok(want, name);
    // The gradient of the key biases is nothing but rounding, and optimisers that divide by its size enlarge that.
    if (name.endsWith('key.bias') && optimizer.name !== 'SGD') continue;
    assertClose(Math.hypot(...data), want.norm, 1e-4, `norm of ${name}`);
    const projection = data.reduce((sum, value, i) => sum + value * Math.cos(i), 0);
    const difference = Math.abs(projection - want.projection);
    assert.ok(
      difference <= 1e-4 * want.norm,
      `projection of ${name}: ${projection}, want ${want.projection}`,
    );
  }
}

/** The rows of the golden batches in order, cut into the micro-batches of each step of an epoch. */
function stepsOf({ batchSize, gradientAccumulationSteps }: Case): Batch[][] {
  const rows = golden('bert-small').batches.flatMap((batch) =>
    Array.from({ length: batch.rows }, (_, row) => {
      const from = row * batch.length;
      const mask = batch.attentionMask.subarray(from, from + batch.length);
      const part = (ids: Int32Array) => ids.subarray(from, from + mask.filter((bit) => bit === 1).length);
      return {
        ids: part(batch.inputIds),
        types: part(batch.tokenTypeIds),
        label: batch.labels[row] as number,
      };
    }),
  );
  const batches: Batch[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    const part = rows.slice(start, start + batchSize);
    const length = Math.max(...part.map(({ ids }) => ids.length));
    const padded = (values: (row: (typeof part)[number]) => Int32Array) =>
      Int32Array.from(part.flatMap((row) => Array.from({ length }, (_, i) => values(row)[i] ?? 0)));
    batches.push({
      rows: part.length,
      length,
      inputIds: padded(({ ids }) => ids),
      attentionMask: padded(({ ids }) => new Int32Array(ids.length).fill(1)),
      tokenTypeIds: padded(({ types }) => types),
      labels: Int32Array.from(part.map(({ label }) => label)),
      indices: new Int32Array(part.length),
      starts: Int32Array.from(part.keys(), (row) => row * length),
    });
  }
  const count = Math.ceil(batches.length / gradientAccumulationSteps);
  return Array.from({ length: count }, (_, i) =>
    batches.slice(i * gradientAccumulationSteps, (i + 1) * gradientAccumulationSteps),
  );
}

function assertClose(got: number, want: number, relative: number, what: string): void {
  assert.ok(Math.abs(got - want) <= relative * Math.abs(want), `${what}: got ${got}, want ${want}`);
}
