import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { NamedTensor } from '../../../trainer-image/model/tensor.ts';
import { nativeBinding } from '../graph/native.ts';
import { golden, openSmall } from './fixtures.ts';
import { loadAll, saveAll, trainSpan } from './resume-process.ts';

const binding = await nativeBinding();
const directory = mkdtempSync(join(tmpdir(), 'resume-'));
after(() => rmSync(directory, { recursive: true }));
const options = { dropout: 0.2, seed: 3 };

function inProcess(
  from: string,
  to: string,
  first: number,
  end: number,
): { steps: string[]; sha256: string } {
  const script = join(import.meta.dirname, 'resume-process.ts');
  const args = [script, from, to, String(first), String(end)];
  const output = execFileSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output);
}

test('20 steps equal 10 steps, a checkpoint, a new process and 10 steps, to the last bit', async () => {
  const model = await openSmall(binding, options);
  const whole = { steps: trainSpan(model, 0, 20), sha256: saveAll(model, join(directory, 'whole')) };
  model.close();

  const middle = join(directory, 'middle');
  const first = await openSmall(binding, options);
  const firstSteps = trainSpan(first, 0, 10);
  saveAll(first, middle);
  first.close();
  const second = inProcess(middle, join(directory, 'end'), 10, 20);
  assert.deepEqual([...firstSteps, ...second.steps], whole.steps);
  assert.equal(second.sha256, whole.sha256);

  const third = await openSmall(binding, options);
  loadAll(third, middle);
  assert.deepEqual(trainSpan(third, 10, 20), whole.steps.slice(10));
  third.close();
});

test('from whichever step a checkpoint is, the steps after it are the same to the last bit', async () => {
  const end = 12;
  const at = (step: number) => join(directory, `step-${step}`);
  const model = await openSmall(binding, options);
  const steps: string[] = [];
  const digests: string[] = [];
  for (let step = 0; step < end; step++) {
    digests.push(saveAll(model, at(step)));
    steps.push(...trainSpan(model, step, step + 1));
  }
  assert.equal(new Set(digests).size, end, 'every step changes the weights');
  const last = saveAll(model, at(end));
  model.close();
  const other = await openSmall(binding, options);
  for (let step = end - 1; step >= 0; step--) {
    loadAll(other, at(step));
    assert.deepEqual(trainSpan(other, step, end), steps.slice(step), `from step ${step}`);
    assert.equal(saveAll(other, at(end)), last, `from step ${step}`);
  }
  other.close();
});

test('the same seed gives the same weights, another seed others', async () => {
  const train = async (seed: number): Promise<string> => {
    const model = await openSmall(binding, { ...options, seed });
    trainSpan(model, 0, 5);
    const digest = saveAll(model, join(directory, 'seed'));
    model.close();
    return digest;
  };
  assert.equal(await train(3), await train(3));
  assert.notEqual(await train(3), await train(2 ** 40 + 3));
});

test('prediction does not depend on dropout, and does not change the model', async () => {
  const model = await openSmall(binding, options);
  const plain = await openSmall(binding, { dropout: 0 });
  const batch = golden('bert-small').batches[0];
  assert.ok(batch);
  const { outputs } = model.predict(batch);
  assert.deepEqual(outputs, model.predict(batch).outputs);
  assert.deepEqual(outputs, plain.predict(batch).outputs);
  model.close();
  plain.close();
});

test('labels are smoothed while training alone', async () => {
  const batch = golden('bert-small').batches[0];
  assert.ok(batch);
  const losses = async (labelSmoothing: number) => {
    const model = await openSmall(binding, { dropout: 0, update: { labelSmoothing } });
    const evaluated = model.predict(batch).lossSum / batch.rows;
    const trained = model.trainStep([batch], { step: 0, learningRate: 0 }).loss;
    model.close();
    return { evaluated, trained };
  };
  const [plain, smoothed] = [await losses(0), await losses(0.2)];
  assert.equal(smoothed.evaluated, plain.evaluated);
  assert.ok(Math.abs(plain.trained - plain.evaluated) < 1e-6);
  assert.ok(Math.abs(smoothed.trained - plain.trained) > 1e-3);
});

test('rows without a label count neither in the loss nor in the gradient', async () => {
  const { batches } = golden('bert-small');
  const batch = batches[0];
  assert.ok(batch);
  const keep = 4; // rows
  const labels = batch.labels.map((label, row) => (row < keep ? label : -100));
  const part = (ids: Int32Array): Int32Array => ids.slice(0, keep * batch.length);
  const shorter = {
    rows: keep,
    length: batch.length,
    inputIds: part(batch.inputIds),
    attentionMask: part(batch.attentionMask),
    tokenTypeIds: part(batch.tokenTypeIds),
    labels: batch.labels.slice(0, keep),
    indices: batch.indices.slice(0, keep),
    starts: batch.starts.slice(0, keep),
  };
  const masked = await openSmall(binding, { dropout: 0 });
  const short = await openSmall(binding, { dropout: 0 });
  assert.equal(masked.predict({ ...batch, labels }).count, keep);
  const a = masked.trainStep([{ ...batch, labels }], { step: 0, learningRate: 1e-3 });
  const b = short.trainStep([shorter], { step: 0, learningRate: 1e-3 });
  assert.ok(Math.abs(a.loss - b.loss) < 1e-5 * b.loss, `${a.loss} ${b.loss}`);
  assert.ok(Math.abs(a.gradientNorm - b.gradientNorm) < 1e-4 * b.gradientNorm);
  masked.close();
  short.close();
});

test('training, prediction, reading and restoring leave no tensors', async () => {
  const before = binding.getNumOfSavedModels();
  const model = await openSmall(binding, options);
  const batch = golden('bert-small').batches[0];
  assert.ok(batch);
  for (let round = 0; round < 5; round++) {
    trainSpan(model, round, round + 1);
    model.predict(batch);
    model.restore([...model.weights(), ...model.optimizerState()]);
    assert.equal(model.tensorCount(), 0);
  }
  model.close();
  assert.equal(binding.getNumOfSavedModels(), before);
});

test('a moving average is the weights at first, is part of the state, and follows weights that are restored alone', async () => {
  const open = () => openSmall(binding, { ...options, update: { ema: { decay: 0.9 } } });
  const data = (tensors: Iterable<NamedTensor>) =>
    [...tensors].map((tensor) => `${tensor.name} ${hash('sha256', tensor.data)}`).join('\n');
  const model = await open();
  assert.equal(data(model.evaluatedWeights()), data(model.weights()));
  trainSpan(model, 0, 1);
  assert.equal(data(model.evaluatedWeights()), data(model.weights()), 'the first step is taken as it is');
  trainSpan(model, 1, 3);
  assert.notEqual(data(model.evaluatedWeights()), data(model.weights()));
  const batch = golden('bert-small').batches[0]!;
  const saved = join(directory, 'averaged');
  saveAll(model, saved);
  const other = await open();
  loadAll(other, saved);
  assert.equal(data(other.evaluatedWeights()), data(model.evaluatedWeights()));
  assert.deepEqual(other.predict(batch).outputs, model.predict(batch).outputs);
  const published = await openSmall(binding, { dropout: 0 });
  published.restore(model.evaluatedWeights());
  assert.deepEqual(published.predict(batch).outputs, model.predict(batch).outputs);
  other.restore([...model.evaluatedWeights()]);
  assert.equal(data(other.weights()), data(model.evaluatedWeights()));
  assert.equal(data(other.evaluatedWeights()), data(model.evaluatedWeights()));
  for (const one of [model, other, published]) one.close();
});

test('a state that does not fit is refused whole', async () => {
  const model = await openSmall(binding, options);
  const weights = [...model.weights()];
  const [first, ...rest] = weights;
  assert.ok(first);
  const before = saveAll(model, join(directory, 'before'));
  const cases: [string, RegExp, typeof weights][] = [
    ['missing', /'bert\.embeddings\.word_embeddings\.weight' is missing/, rest],
    ['unknown', /unknown tensor 'x'/, [...weights, { ...first, name: 'x' }]],
    [
      'misshapen',
      /is \[1\], want \[120, 32\]/,
      [{ ...first, shape: [1], data: new Float32Array(1) }, ...rest],
    ],
    ['twice', /comes twice/, [...weights, first]],
    ['empty', /it is empty/, []],
  ];
  for (const [name, want, tensors] of cases) assert.throws(() => model.restore(tensors), want, name);
  assert.equal(saveAll(model, join(directory, 'after')), before);
  model.close();
});

test('a loss that is not finite is returned as it is', async () => {
  const model = await openSmall(binding, options);
  model.restore([...model.weights()].map((tensor) => ({ ...tensor, data: tensor.data.fill(Number.NaN) })));
  const [line] = trainSpan(model, 0, 1);
  assert.equal(line, '0 NaN NaN');
  model.close();
});
