import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Queue } from '../../../operator/controller/queue.ts';
import { watchWallClock } from '../../../operator/controller/wall-clock.ts';
import { FakeClock } from '../fake-clock.ts';

function start() {
  const clock = new FakeClock();
  const wall = { ahead: 0 };
  const steps: number[] = [];
  const queue = new Queue({ clock, backoff: { baseMs: 100, capMs: 100 } });
  const stop = new AbortController();
  const onStep = (ms: number) => {
    steps.push(ms);
    queue.wake();
  };
  const wallNow = () => clock.now() + wall.ahead;
  const ended = watchWallClock({ clock, wallNow, onStep }, stop.signal);
  return { clock, wall, steps, queue, stop, ended };
}

test('a deadline that has passed by a step of the wall clock is looked at within seconds', async () => {
  const { clock, wall, steps, queue } = start();
  const day = 86_400_000;
  queue.add('n/a', day);
  const taken: { key: string | undefined; at: number }[] = [];
  const work = async () => {
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      taken.push({ key, at: clock.now() });
      // As a pass does that comes early: it waits for what is left by the wall clock.
      const left = day - clock.now() - wall.ahead;
      if (left > 0) queue.add(key, left);
      queue.done(key);
    }
  };
  void work();
  await clock.advance(3_600_000);
  assert.deepEqual(taken, [], 'no pass before a far deadline while the clocks agree');
  wall.ahead = day / 2;
  await clock.advance(10_000);
  assert.equal(taken.length, 1);
  await clock.advance(day / 2);
  assert.deepEqual(taken[1], { key: 'n/a', at: day / 2 }, 'in its time by the wall clock');
  assert.equal(taken.length, 2);
  assert.deepEqual(steps, [day / 2], 'it is told once');
});

test('a wall clock that is put back by hours is noticed, one that is corrected is not', async () => {
  const { clock, wall, steps, stop, ended } = start();
  for (let i = 0; i < 100; i++) {
    wall.ahead = i % 2 === 0 ? 500 : -500;
    await clock.advance(10_000);
  }
  assert.deepEqual(steps, []);
  wall.ahead = -7_200_000;
  await clock.advance(10_000);
  assert.deepEqual(steps, [-7_200_000]);
  stop.abort();
  await ended;
});
