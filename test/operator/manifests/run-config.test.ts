/** From the spec of a job to the run config that its trainer reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fineTuneRuntimeSpec } from '../../../crds/finetuneruntime.schema.ts';
import { runConfigOf } from '../../../operator/manifests/run-config.ts';
import { runtime } from '../../crds/objects.ts';
import { runtimeCases } from '../../crds/runtime-cases.ts';
import { aJob, digest, runtimeSpec } from '../builders.ts';

const startTime = '2026-01-01T00:00:00Z';
const preflightConfigOf = (job: ReturnType<typeof aJob>) =>
  runConfigOf({ job, runtime: runtimeSpec(), stage: 'preflight', startTime, preflight: undefined });

test('decimals of the spec become numbers, and the trainer needs no defaults', () => {
  const job = aJob({
    training: { bf16: true, learningRate: '2e-5', dropout: '0.2', ema: {}, earlyStopping: { metric: 'f1' } },
    dataset: {
      ...aJob().spec.dataset,
      fractions: { validation: '0.1' },
      labels: ['ham', 'spam'],
      slices: ['language'],
    },
    gate: { metric: 'f1', minimum: '0.9', minimumGainOverBaseline: '0.01', slices: { maximumGap: '0.05' } },
  });
  const preflight = { splits: { train: { digest }, test: { digest } }, modelDigest: digest } as never;
  const outcome = runConfigOf({ job, runtime: runtimeSpec(), stage: 'train', startTime, preflight });
  assert.ok('config' in outcome);
  const { training, dataset, gate, expected, accelerator } = outcome.config;
  assert.deepEqual(training, {
    epochs: 3,
    batchSize: 16,
    gradientAccumulationSteps: 1,
    gradientCheckpointing: false,
    bf16: true,
    learningRate: 2e-5,
    schedule: { name: 'Linear' },
    warmup: 0.06,
    optimizer: { name: 'AdamW' },
    weightDecay: 0.01,
    maxGradNorm: 1,
    labelSmoothing: 0,
    ema: { decay: 0.999 },
    maxLength: 256,
    trainSamplingStrategy: 'GroupByLength',
    packing: 'None',
    dropout: 0.2,
    seed: 42,
    earlyStopping: { metric: 'f1', patience: 3, minDelta: 0 },
  });
  assert.deepEqual([dataset.fractions, dataset.labels], [{ validation: 0.1 }, ['ham', 'spam']]);
  assert.deepEqual(dataset.slices, ['language']);
  const slices = { maximumGap: 0.05 };
  assert.deepEqual(gate, { metric: 'f1', minimum: 0.9, minimumGainOverBaseline: 0.01, slices });
  assert.deepEqual(expected, { modelDigest: digest, trainDigest: digest, testDigest: digest });
  assert.deepEqual(accelerator, { resourceName: 'nvidia.com/gpu', whenUnusable: 'Fail', count: 1 });
});

const columnsOf = (spec: object) => {
  const outcome = preflightConfigOf(aJob(spec));
  assert.ok('config' in outcome, JSON.stringify(outcome));
  const { dataset, training } = outcome.config;
  return { columns: dataset.columns, masking: training.masking };
};

test('each task gets the columns that it reads, by their usual names unless the job names them', () => {
  assert.deepEqual(columnsOf({}), { columns: { text: 'text', label: 'label' }, masking: undefined });
  const dataset = { ...aJob().spec.dataset, columns: { tags: 'ner' } };
  assert.deepEqual(columnsOf({ task: 'TokenClassification', dataset }), {
    columns: { tokens: 'tokens', tags: 'ner' },
    masking: undefined,
  });
});

test('a pair of texts and a problem type reach the trainer where the job names them', () => {
  const dataset = { ...aJob().spec.dataset, columns: { text2: 'answer' } };
  const job = aJob({ problemType: 'Regression', dataset });
  const outcome = preflightConfigOf(job);
  assert.ok('config' in outcome);
  assert.equal(outcome.config.problemType, 'Regression');
  assert.deepEqual(outcome.config.dataset.columns, { text: 'text', label: 'label', text2: 'answer' });
});

test('MaskedLM gets the usual masking, or the one that the job asks for', () => {
  assert.deepEqual(columnsOf({ task: 'MaskedLM' }), {
    columns: { text: 'text' },
    masking: { probability: 0.15, wholeWord: false },
  });
  const training = { masking: { wholeWord: true, probability: '0.4' } };
  assert.deepEqual(columnsOf({ task: 'MaskedLM', training }).masking, { probability: 0.4, wholeWord: true });
});

test('texts are packed as the job asks; without a word, those of MaskedLM are wrapped', () => {
  const packingOf = (training: object, task = 'MaskedLM') => trainingOf(training, { task }).packing;
  assert.equal(packingOf({}), 'Wrapped');
  assert.equal(packingOf({}, 'SequenceClassification'), 'None');
  assert.equal(packingOf({ stride: 8 }), 'None');
  assert.equal(packingOf({ trainSamplingStrategy: 'TokenBudget' }), 'None');
  assert.equal(packingOf({ packing: 'None' }), 'None');
  assert.equal(packingOf({ packing: 'BestFitDecreasing' }, 'TokenClassification'), 'BestFitDecreasing');
});

/** training of the run config for a job with these settings. */
function trainingOf(training: object, spec: object = {}) {
  const outcome = runConfigOf({
    job: aJob({ ...spec, training }),
    runtime: runtimeSpec(),
    stage: 'train',
    startTime,
    preflight: undefined,
  });
  assert.ok('config' in outcome, JSON.stringify(outcome));
  return outcome.config.training;
}

test('an optimizer comes with its settings, their defaults where the job has none', () => {
  const optimizerOf = (training: object) => trainingOf(training).optimizer;
  assert.deepEqual(optimizerOf({ optimizer: 'Adafactor' }), { name: 'Adafactor' });
  assert.deepEqual(optimizerOf({ optimizer: 'SGD' }), { name: 'SGD', momentum: 0 });
  const given = { optimizer: 'SGD', sgd: { momentum: '0.9' } };
  assert.deepEqual(optimizerOf(given), { name: 'SGD', momentum: 0.9 });
});

test('R-Drop, frozen parts, the decay by layers and windows are there if the job has them', () => {
  const { rDropAlpha, freeze, layerwiseLearningRateDecay, stride } = trainingOf({
    stride: 0,
    rDropAlpha: '0.5',
    freeze: ['bert.embeddings'],
    layerwiseLearningRateDecay: '0.9',
  });
  assert.deepEqual([rDropAlpha, freeze, layerwiseLearningRateDecay], [0.5, ['bert.embeddings'], 0.9]);
  assert.equal(stride, 0);
  const without = Object.keys(trainingOf({}));
  assert.deepEqual(
    without.filter((name) => /rDrop|freeze|layerwise|stride/.test(name)),
    [],
  );
});

test('a schedule comes with its settings, their defaults where the job has none', () => {
  const scheduleOf = (training: object) => trainingOf(training).schedule;
  assert.deepEqual(scheduleOf({ schedule: 'Cosine' }), { name: 'Cosine' });
  const restarts = { name: 'CosineWithRestarts', numCycles: 1 };
  assert.deepEqual(scheduleOf({ schedule: 'CosineWithRestarts' }), restarts);
  const polynomial = { name: 'Polynomial', power: 1, endLearningRate: 1e-7 };
  assert.deepEqual(scheduleOf({ schedule: 'Polynomial' }), polynomial);
  const given = { schedule: 'Polynomial', polynomial: { power: '2' } };
  assert.deepEqual(scheduleOf(given), { ...polynomial, power: 2 });
  assert.deepEqual(scheduleOf({ schedule: 'ReduceLROnPlateau', reduceLROnPlateau: { patience: 0 } }), {
    name: 'ReduceLROnPlateau',
    factor: 0.1,
    patience: 0,
    threshold: 1e-4,
    cooldown: 0,
    minLearningRate: 0,
  });
});

const impossible: Record<string, [(job: ReturnType<typeof aJob>) => void, RegExp]> = {
  'no epochs': [(job) => Object.assign(job.spec.training, { epochs: '0' }), /^spec\.training\.epochs/],
  'no learning rate': [
    (job) => Object.assign(job.spec.training, { learningRate: '0' }),
    /^spec\.training\.learningRate/,
  ],
  'a learning rate that is no number': [
    (job) => Object.assign(job.spec.training, { learningRate: 'fast' }),
    /learningRate/,
  ],
  'no memory': [(job) => Object.assign(job.spec.resources, { memory: '0' }), /^spec\.resources\.memory/],
  'memory in the wrong unit': [
    (job) => Object.assign(job.spec.resources, { memory: '8' }),
    /^spec\.resources\.memory/,
  ],
  'no CPU': [(job) => Object.assign(job.spec.resources, { cpu: '0' }), /^spec\.resources\.cpu/],
};
for (const [name, [spoil, want]] of Object.entries(impossible)) {
  test(`no run config can be made of ${name}: the problem names the field`, () => {
    const job = aJob();
    spoil(job);
    const outcome = preflightConfigOf(job);
    assert.ok('problem' in outcome);
    assert.match(outcome.problem, want);
  });
}

for (const [name, { changes, want }] of Object.entries(runtimeCases)) {
  if (want !== undefined) continue;
  test(`${name}, which the API server takes, leads to a run config`, () => {
    const offer = fineTuneRuntimeSpec.parse(runtime(changes).spec);
    const outcome = runConfigOf({
      job: aJob(),
      runtime: offer,
      stage: 'train',
      startTime,
      preflight: undefined,
    });
    assert.ok('config' in outcome, JSON.stringify(outcome));
  });
}
