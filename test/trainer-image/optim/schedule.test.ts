import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { afterMetric, newPlateau, type PlateauSettings } from '../../../trainer-image/optim/plateau.ts';
import { learningRateAt, type Schedule, warmupSteps } from '../../../trainer-image/optim/schedule.ts';

type Golden = {
  learningRate: number;
  schedules: { schedule: Schedule; warmupSteps: number; totalSteps: number; rates: number[] }[];
  metrics: number[];
  plateaus: { settings: PlateauSettings; lowerIsBetter: boolean; rates: number[] }[];
};
const file = new URL('../../golden/schedules.json', import.meta.url);
const { learningRate, schedules, metrics, plateaus } = JSON.parse(readFileSync(file, 'utf8')) as Golden;

for (const { schedule, rates, ...course } of schedules) {
  const { warmupSteps: warmup, totalSteps: total } = course;
  const settings = JSON.stringify(schedule);
  test(`${settings} with ${warmup} of ${total} steps of warm-up has the rates of Transformers`, () => {
    for (const [step, want] of rates.entries()) {
      const got = learningRateAt(schedule, { ...course, learningRate }, step);
      assert.ok(Math.abs(got - want) < 1e-12, `step ${step}: got ${got}, want ${want}`);
    }
  });
}

for (const { settings, lowerIsBetter, rates } of plateaus) {
  const kind = lowerIsBetter ? 'a loss' : 'an accuracy';
  test(`${JSON.stringify(settings)} follows ${kind} as PyTorch does, through JSON as well`, () => {
    let plateau = newPlateau(learningRate);
    const got = metrics.map((metric) => {
      plateau = JSON.parse(
        JSON.stringify(afterMetric(plateau, lowerIsBetter ? metric : 1 - metric, settings, lowerIsBetter)),
      );
      return plateau.learningRate;
    });
    assert.deepEqual(got, rates);
    assert.ok(new Set(got).size > 1);
  });
}

test('warm-up is a share of the steps below 1, else a number of steps', () => {
  assert.equal(warmupSteps(0.06, 1000), 60);
  assert.equal(warmupSteps(0.1, 15), 2);
  assert.equal(warmupSteps(0, 100), 0);
  assert.equal(warmupSteps(1, 100), 1);
  assert.equal(warmupSteps(25, 100), 25);
});
