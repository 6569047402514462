import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RateLimit } from '../../../operator/kube/rate-limit.ts';
import { FakeClock } from '../fake-clock.ts';

describe('rate limit', () => {
  it('lets a burst through at once and then so many a second, in order', async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(clock, 10, 3);
    const passed: number[] = [];
    for (let i = 0; i < 5; i++) void limit.take(new AbortController().signal).then(() => passed.push(i));
    await clock.advance(0);
    assert.deepEqual(passed, [0, 1, 2]);
    await clock.advance(100);
    assert.deepEqual(passed, [0, 1, 2, 3]);
    await clock.advance(100);
    assert.deepEqual(passed, [0, 1, 2, 3, 4]);
    assert.equal(limit.tryTake(), false);
    await clock.advance(1000);
    assert.deepEqual(
      [limit.tryTake(), limit.tryTake(), limit.tryTake(), limit.tryTake()],
      [true, true, true, false],
    );
  });
});
