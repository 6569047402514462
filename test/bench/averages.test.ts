import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mean, median, quantile } from '../../bench/averages.ts';

test('quantiles are linear between the values, as numpy.quantile gives them', () => {
  const values = Array.from({ length: 200 }, (_, index) => (index * 77) % 200);
  const quantiles = [0, 0.01, 0.5, 0.99, 1].map((part) => Number(quantile(values, part).toFixed(9)));
  assert.deepEqual(quantiles, [0, 1.99, 99.5, 197.01, 199]);
  assert.equal(quantile([7], 0.99), 7);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

test('the median is the middle value, or the mean of the two in the middle', () => {
  assert.equal(median([10, 9, 100, 1, 2]), 9);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(mean([4, 1, 3, 5]), 3.25);
});
