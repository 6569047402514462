/** Comparisons with what test/golden/*.py has written down. */
import assert from 'node:assert/strict';
import type { TrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { learningRateAt } from '../../../trainer-image/optim/schedule.ts';
import type { Golden } from './fixtures.ts';

export function compareLogits(model: TrainableModel, want: Golden): void {
  for (const [index, batch] of want.batches.entries()) {
    const [logits] = model.predict(batch).outputs;
    assertNear(logits as Float32Array, want.logits[index] as number[], `batch ${index}`);
  }
}

/** Every value to 1e-4. */
export function assertNear(got: ArrayLike<number>, want: readonly number[], what: string): void {
  assert.equal(got.length, want.length, what);
  const worst = Math.max(...want.map((value, i) => Math.abs(value - (got[i] ?? Number.NaN))));
  assert.ok(worst <= 1e-4, `${what}: largest difference ${worst}`);
}

export function compareSteps(
  model: TrainableModel,
  want: Pick<Golden, 'settings' | 'steps' | 'batches'>,
): void {
  for (const [step, expected] of want.steps.entries()) {
    const learningRate = learningRateAt({ name: 'Linear' }, want.settings, step);
    assert.ok(Math.abs(learningRate - expected.learningRate) <= 1e-12, `learning rate of step ${step}`);
    const batch = want.batches[step % want.batches.length];
    assert.ok(batch);
    const got = model.trainStep([batch], { step, learningRate });
    assertClose(got.loss, expected.loss, 1e-4, `loss of step ${step}`);
    assertClose(got.gradientNorm, expected.gradientNorm, 1e-3, `gradient norm of step ${step}`);
  }
}

export function assertClose(got: number, want: number, relative: number, what: string): void {
  assert.ok(Math.abs(got - want) <= relative * Math.abs(want), `${what}: got ${got}, want ${want}`);
}

/** `want`: norm, and sum of the products with cos(index). */
export function compareGradient(
  name: string,
  values: Float32Array,
  want: [number, number] | undefined,
): void {
  assert.ok(want, name);
  const [norm, projection] = want;
  const tolerance = 1e-4 * norm + 1e-6; // the bias of the keys has no gradient but rounding
  const got = Math.hypot(...values);
  assert.ok(Math.abs(got - norm) <= tolerance, `${name}: norm ${got}, want ${norm}`);
  const sum = values.reduce((total, value, i) => total + value * Math.cos(i), 0);
  assert.ok(Math.abs(sum - projection) <= tolerance, `${name}: projection ${sum}, want ${projection}`);
}
