import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialWeight } from '../../../trainer-image/model/initial-weights.ts';
import { denseParameters, fresh, normParameters } from '../../../trainer-image/model/parameters.ts';

const values = (specs: ReturnType<typeof fresh>) =>
  Object.fromEntries(specs.map((spec) => [spec.name, initialWeight(spec, 7, 0.02)]));

test('a new LayerNorm changes nothing: its weight is 1, its bias 0', () => {
  const norm = values(fresh(normParameters('head.norm', 5)));
  assert.deepEqual(norm, {
    'head.norm.weight': new Float32Array(5).fill(1),
    'head.norm.bias': new Float32Array(5),
  });
});

test('a new linear layer has normal weights and no bias', () => {
  const { 'a.weight': weight, 'a.bias': bias } = values(fresh(denseParameters('a', 100, 100)));
  assert.ok(weight && bias);
  assert.deepEqual(bias, new Float32Array(100));
  const mean = weight.reduce((sum, value) => sum + value, 0) / weight.length;
  const deviation = Math.sqrt(weight.reduce((sum, value) => sum + (value - mean) ** 2, 0) / weight.length);
  assert.ok(Math.abs(mean) < 6e-4, `mean ${mean}`);
  assert.ok(Math.abs(deviation - 0.02) < 6e-4, `standard deviation ${deviation}`);
});
