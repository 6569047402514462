import assert from 'node:assert/strict';
import { it } from 'node:test';
import { statusIntervalMs, stepDelayMs } from '../../../operator/controller/status-interval.ts';

it('details of few jobs are written at the shortest interval, of many as all of them together may, but within five minutes', () => {
  assert.equal(statusIntervalMs(10_000, 20, 1), 10_000);
  assert.equal(statusIntervalMs(10_000, 20, 200), 10_000);
  assert.equal(statusIntervalMs(10_000, 20, 1000), 50_000);
  assert.equal(statusIntervalMs(10_000, 20, 6000), 300_000);
  assert.equal(statusIntervalMs(10_000, 20, 10_000), 300_000);
});

it('steps wait for no longer than people would', () => {
  assert.equal(stepDelayMs(0), 0);
  assert.equal(stepDelayMs(3000), 3000);
  assert.equal(stepDelayMs(50_000), 20_000);
});
