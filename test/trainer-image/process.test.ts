import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { maxProgressBytes, progress } from '../../crds/trainer-contract.ts';
import { readRunConfig, readSettings } from '../../trainer-image/config.ts';
import { createProgressBoard } from '../../trainer-image/progress.ts';
import { createPhaseClock } from '../../trainer-image/run/phase-clock.ts';
import { configHash } from '../../trainer-image/run/state.ts';
import { createTrainerMetrics, trainerSeries } from '../../trainer-image/series.ts';
import { startServer } from '../../trainer-image/server.ts';
import { tensorflowEnvironment, usableCpus } from '../../trainer-image/threads.ts';
import { exampleConfig } from './report/example.ts';

const directory = mkdtempSync(join(tmpdir(), 'process-'));
after(() => rmSync(directory, { recursive: true }));
const speaker = { contractVersion: 1, jobUid: 'u', runId: '1', podUid: 'p' } as const;

test('settings have the paths of the contract as defaults, and a wrong value is named', () => {
  const settings = readSettings({ POD_UID: 'p' });
  assert.equal(settings.runConfigFile, '/etc/finetune/run.json');
  assert.equal(settings.httpPort, 8080);
  assert.equal(settings.podUid, 'p');
  assert.throws(() => readSettings({ FINETUNE_HTTP_PORT: 'x' }), /FINETUNE_HTTP_PORT/);
});

test('a run config that cannot be read is an error with what is known of its job', () => {
  const file = join(directory, 'run.json');
  const read = (text: string) => {
    writeFileSync(file, text);
    return readRunConfig(file);
  };
  assert.ok('config' in read(JSON.stringify(exampleConfig())));
  const wrong = read(JSON.stringify({ ...exampleConfig(), extra: 1 }));
  assert.ok('error' in wrong);
  assert.equal(wrong.identity.jobUid, 'uid-1');
  assert.match(wrong.error.message, /extra/);
  const broken = read('{');
  assert.ok('error' in broken);
  assert.deepEqual(broken.identity, { jobUid: '', runId: '' });
  assert.ok('error' in readRunConfig(join(directory, 'absent')));
});

test('CPUs are limited by cgroup version 2 and version 1, never below one', () => {
  const cgroups = (name: string, files: Record<string, string>) => {
    const root = join(directory, name);
    mkdirSync(join(root, 'cpu'), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, file), text);
    return root;
  };
  assert.equal(usableCpus(cgroups('v2', { 'cpu.max': '250000 100000\n' }), 8), 3);
  assert.equal(usableCpus(cgroups('unlimited', { 'cpu.max': 'max 100000\n' }), 8), 8);
  assert.equal(usableCpus(cgroups('small', { 'cpu.max': '50000 100000\n' }), 8), 1);
  const v1 = { 'cpu/cpu.cfs_quota_us': '200000', 'cpu/cpu.cfs_period_us': '100000' };
  assert.equal(usableCpus(cgroups('v1', v1), 8), 2);
  assert.equal(usableCpus(cgroups('v1-none', { ...v1, 'cpu/cpu.cfs_quota_us': '-1' }), 8), 8);
  assert.equal(usableCpus(join(directory, 'nothing'), 4), 4);
});

test("TensorFlow's variables keep what the pod sets", () => {
  const set = tensorflowEnvironment({ TF_NUM_INTRAOP_THREADS: '7' }, 3);
  assert.equal(set['TF_NUM_INTRAOP_THREADS'], undefined);
  assert.equal(set['TF_NUM_INTEROP_THREADS'], '3');
});

test('the phase clock adds up what each phase took', () => {
  let now = 0;
  const clock = createPhaseClock(() => now);
  now = 1000;
  clock.enter('Training');
  now = 3500;
  clock.enter('Evaluating');
  now = 4000;
  clock.enter('Training');
  now = 5000;
  assert.deepEqual(clock.seconds(), { Starting: 1, Training: 3.5, Evaluating: 0.5 });
});

test('the config hash changes with settings, data and job, and not with what leaves the numbers alone', () => {
  const hash = (
    change: (config: ReturnType<typeof exampleConfig>) => void = () => {},
    digests = ['a', 'b'],
  ) => {
    const config = exampleConfig();
    change(config);
    return configHash(config, digests);
  };
  assert.equal(hash(), hash());
  const changed = [
    hash((config) => {
      config.training.seed = 1;
    }),
    hash((config) => {
      config.job.uid = 'other';
    }),
    hash((config) => {
      config.dataset.labels = ['spam', 'ham'];
    }),
    hash(({ training }) => {
      training.optimizer = { name: 'Adafactor' };
    }),
    hash(({ training }) => {
      training.gradientAccumulationSteps = 2;
    }),
    hash(({ training }) => {
      training.bf16 = true;
    }),
    hash(() => {}, ['a', 'c']),
  ];
  for (const other of changed) assert.notEqual(other, hash());
  const same = hash((config) => {
    config.checkpoints.keep = 9;
    config.accelerator.count = 1;
    // The rows of a step and what is computed of them stay the same.
    config.training.gradientCheckpointing = true;
    config.training.batchSize /= 2;
    config.training.gradientAccumulationSteps = 2;
  });
  assert.equal(same, hash());
});

test('progress stays within its bound whatever the checkpoints are called', () => {
  const board = createProgressBoard(speaker);
  const checkpoint = { step: 1, time: 't', uri: 'ü'.repeat(1024), digest: 'd' };
  board.update({ step: 3, checkpoints: Array.from({ length: 20 }, () => checkpoint), gradientNorm: 1 });
  assert.ok(Buffer.byteLength(board.json()) <= maxProgressBytes);
  const got = progress.parse(JSON.parse(board.json()));
  assert.equal(got.step, 3);
});

test('every series of the table is exposed with the labels of the run', async () => {
  const metrics = createTrainerMetrics({ namespace: 'n', job: 'j', run: '1' });
  metrics.update({ phase: 'Training', device: 'CPU', trainedTokens: 5 });
  metrics.update({ trainedTokens: 12, trainLoss: 0.5, evalLoss: 0.6, step: 3, totalSteps: 4, epoch: 0.75 });
  metrics.update({ trainedTokens: 12, learningRate: 1e-5, gradientNorm: 2, tokensPerSecond: 900 });
  const { body } = await metrics.render();
  for (const name of Object.keys(trainerSeries)) {
    assert.match(body, new RegExp(`^${name}\\{.*namespace="n",job="j",run="1".*\\} `, 'm'), name);
  }
  assert.match(body, /^finetune_trainer_tokens_total\{.*\} 12$/m);
  assert.match(body, /^finetune_trainer_phase\{phase="Starting",.*\} 0$/m);
});

test('a loss that is not known yet is not exposed: 0 would be the best of all', async () => {
  const metrics = createTrainerMetrics({ namespace: 'n', job: 'j', run: '1' });
  metrics.update({ phase: 'Preparing', step: 0 });
  const { body } = await metrics.render();
  assert.match(body, /^finetune_trainer_step\{.*\} 0$/m);
  assert.doesNotMatch(body, /^finetune_trainer_(eval_)?loss\{/m);
});

test('the server answers what it knows and nothing else', async () => {
  const board = createProgressBoard(speaker);
  const metrics = createTrainerMetrics({ namespace: 'n', job: 'j', run: '1' });
  const server = await startServer(0, board, metrics);
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const answer = await fetch(`${base}/progress?x=1`);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    assert.deepEqual(progress.parse(await answer.json()), board.current());
    assert.equal((await fetch(`${base}/healthz`)).status, 200);
    assert.equal((await fetch(`${base}/../etc/passwd`)).status, 404);
    assert.equal((await fetch(`${base}/progress`, { method: 'DELETE' })).status, 405);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
