import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { calibrationError } from '../../../trainer-image/metrics/calibration.ts';

type Case = { name: string; confidence: number[]; right: boolean[]; ece: number };
const file = new URL('../../golden/calibration.json', import.meta.url);
const { cases } = JSON.parse(await readFile(file, 'utf8')) as { cases: Case[] };

for (const { name, confidence, right, ece } of cases) {
  test(`the calibration error equals torchmetrics': ${name}`, () => {
    const got = calibrationError([...confidence.keys()], confidence, (row) => right[row]!);
    assert.ok(Math.abs(got - ece) < 1e-6, `${got} is not ${ece}`);
  });
}

test('a model that is sure and right has no error, one that is sure and wrong the largest', () => {
  assert.equal(
    calibrationError([0, 1], [1, 1], () => true),
    0,
  );
  assert.equal(
    calibrationError([0, 1, 1], [1, 1], () => false),
    1,
  );
  assert.equal(
    calibrationError([], [], () => true),
    0,
  );
});
