import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  maxListedLabels,
  type Result,
  type ResultOf,
  result as resultSchema,
} from '../../crds/trainer-contract.ts';
import { TrainerError } from '../../trainer-image/failure.ts';
import { outcomeOfError, withMemoryCategory } from '../../trainer-image/failure-outcome.ts';
import { exitCodeOf, terminationMessage } from '../../trainer-image/result.ts';

const speaker = { contractVersion: 1, jobUid: 'u', runId: '1', podUid: 'p' } as const;
const sha = `sha256:${'a'.repeat(64)}`;

function succeeded(points: number, checkpoints: number): ResultOf<'Succeeded'> {
  const metrics = { loss: 0.123456789012345, accuracy: 0.987654321, f1: 0.98, weightedF1: 0.98 };
  return {
    ...speaker,
    outcome: 'Succeeded',
    step: points,
    totalSteps: points,
    epoch: 2,
    device: 'GPU',
    trainSeconds: 1234.5,
    trainedTokens: 9_999_999,
    history: Array.from({ length: points }, (_, i) => [i * 1000, 0.12345, 0.54321]),
    checkpoints: Array.from({ length: checkpoints }, (_, i) => ({
      step: checkpoints - i,
      time: '2026-01-01T00:00:00.000Z',
      uri: `s3://bucket/${'long/'.repeat(40)}step-${i}`,
      digest: sha,
    })),
    evaluation: { rows: 400, baseline: metrics, final: metrics },
    model: { uri: 's3://b/model', digest: sha, format: 'x', bytes: 1, reportUri: 's3://b/report' },
  };
}

function fits(value: Result): Result {
  const text = terminationMessage(value);
  assert.ok(Buffer.byteLength(text) <= 4096, `${Buffer.byteLength(text)} bytes`);
  return resultSchema.parse(JSON.parse(text));
}

test('a small result is written as it is', () => {
  assert.deepEqual(fits(succeeded(10, 2)), succeeded(10, 2));
});

test('a large result loses points of its history first, and keeps first, last and verdict', () => {
  const got = fits(succeeded(50, 9)) as ResultOf<'Succeeded'>;
  const want = succeeded(50, 9);
  assert.ok(got.history.length < 50 && got.history.length >= 2);
  assert.deepEqual(got.history[0], want.history[0]);
  assert.deepEqual(got.history.at(-1), want.history.at(-1));
  assert.deepEqual(got.evaluation, want.evaluation);
  assert.deepEqual(got.model, want.model);
  assert.equal(got.checkpoints.length, 9);
});

test('beyond that the oldest checkpoints go', () => {
  const got = fits(succeeded(50, 20)) as ResultOf<'Succeeded'>;
  assert.equal(got.checkpoints[0]?.step, 20);
  assert.ok(got.checkpoints.length < 20);
});

test('slices with endless names go last, one column after the other', () => {
  const name = '\u0001'.repeat(128);
  const slices = Array.from({ length: 4 }, () => ({
    column: name,
    worst: { slice: name, rows: 40, baseline: 0.5, final: 0.6 },
  }));
  const large = succeeded(50, 20);
  const got = fits({ ...large, evaluation: { ...large.evaluation, slices } }) as ResultOf<'Succeeded'>;
  assert.equal(got.evaluation.slices?.length, 1);
  assert.deepEqual(got.evaluation.final, large.evaluation.final);
  const small = succeeded(10, 1);
  const short = { ...small, evaluation: { ...small.evaluation, slices: [{ column: 'language' }] } };
  assert.deepEqual(fits(short), short);
});

test('a failure with a message of many bytes a character is cut, not broken', () => {
  const message = '😀'.repeat(5000);
  const failed = outcomeOfError(new TrainerError('DataError', message, message), 7);
  const got = fits({ ...speaker, ...failed }) as ResultOf<'Failed'>;
  assert.match(got.message, /^(😀)+…$/u);
  assert.equal(got.step, 7);
});

test('a preflight report with long label lists and warnings is cut', () => {
  const labels = Array.from({ length: maxListedLabels }, (_, i): [string, number] => [
    'ü'.repeat(120) + i,
    i,
  ]);
  const split = { rows: 1, digest: sha, truncatedRows: 0, duplicateRows: 0, nearDuplicateRows: 0, labels };
  const got = fits({
    ...speaker,
    outcome: 'Validated',
    preflight: {
      splits: { train: split, validation: split, test: split },
      labels: maxListedLabels,
      tokens: { median: 1, p95: 2, max: 3 },
      leakedRows: 0,
      nearLeakedRows: 0,
      conflictingRows: 0,
      unknownTokenShare: 0,
      lengthRuleAccuracy: 0.5,
      totalSteps: 1,
      memoryEstimateBytes: 1,
      diskEstimateBytes: 1,
      modelType: 'bert',
      parameters: 1,
      modelDigest: sha,
      warnings: Array.from({ length: 12 }, () => 'w'.repeat(256)),
    },
  }) as ResultOf<'Validated'>;
  assert.ok(got.preflight.splits.test.labels.length < maxListedLabels);
  assert.ok(got.preflight.warnings.length >= 2);
});

test('a result with a number that is none becomes a failure that names the field, never invalid JSON', () => {
  const broken = succeeded(2, 0);
  broken.evaluation.final.loss = Number.NaN;
  const got = fits(broken) as ResultOf<'Failed'>;
  assert.equal(got.outcome, 'Failed');
  assert.equal(got.category, 'Internal');
  assert.match(got.message, /evaluation\.final\.loss/);
});

test('exit codes are those of the contract', () => {
  const none = { step: 1, checkpoints: [], trainSeconds: 0, trainedTokens: 0 };
  assert.equal(exitCodeOf({ outcome: 'Interrupted', ...none }), 143);
  assert.equal(exitCodeOf({ ...succeeded(1, 0) }), 0);
  assert.equal(exitCodeOf(outcomeOfError(new TrainerError('OutputError', 'm', 'h'))), 17);
  assert.equal(exitCodeOf(outcomeOfError(new Error('unforeseen'))), 31);
});

test('an unforeseen error tells its message, not its stack', () => {
  const got = outcomeOfError(new RangeError('boom'), 3);
  assert.deepEqual([got.category, got.message, got.step], ['Internal', 'RangeError: boom', 3]);
});

test('a full JavaScript heap and TensorFlow without memory have categories of their own', () => {
  const heap = Object.assign(new Error('heap'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
  assert.equal(outcomeOfError(heap).category, 'HostOutOfMemory');
  const tensorflow = new Error(
    'RESOURCE_EXHAUSTED: OOM when allocating tensor with shape[64,12,512,512]\n at x',
  );
  const category = (gpu: boolean) => outcomeOfError(withMemoryCategory(tensorflow, gpu, 64));
  assert.equal(category(true).category, 'AcceleratorOutOfMemory');
  assert.match(category(true).message, /batches of 64 rows.*shape\[64,12,512,512\]$/);
  assert.equal(category(false).category, 'HostOutOfMemory');
  const other = new Error('something else');
  assert.equal(withMemoryCategory(other, true, 64), other);
});
