import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { learningRateAt, type ScheduleName, warmupSteps } from '../../../trainer-image/optim/schedule.ts';

type Golden = { name: ScheduleName; warmupSteps: number; totalSteps: number; rates: number[] };
const file = new URL('../../golden/schedules.json', import.meta.url);
const schedules = JSON.parse(readFileSync(file, 'utf8')) as Golden[];

for (const { rates, ...schedule } of schedules) {
  const { name, warmupSteps: warmup, totalSteps: total } = schedule;
  test(`${name} with ${warmup} of ${total} steps of warm-up has the rates of Transformers`, () => {
    for (const [step, want] of rates.entries()) {
      const got = learningRateAt({ ...schedule, learningRate: 0.5 }, step);
      assert.ok(Math.abs(got - want) < 1e-12, `step ${step}: got ${got}, want ${want}`);
    }
  });
}

test('warm-up is a share of the steps below 1, else a number of steps', () => {
  assert.equal(warmupSteps(0.06, 1000), 60);
  assert.equal(warmupSteps(0.1, 15), 2);
  assert.equal(warmupSteps(0, 100), 0);
  assert.equal(warmupSteps(25, 100), 25);
});
