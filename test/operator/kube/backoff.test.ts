import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs } from '../../../operator/kube/backoff.ts';

describe('back-off', () => {
  const times = { baseMs: 100, capMs: 1000 };
  it('doubles up to the cap, and half of it is random', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 99].map((failures) => backoffMs(failures, times, 0)),
      [50, 100, 200, 400, 500, 500],
    );
    assert.equal(backoffMs(2, times, 0.5), 150);
  });
  it('waits as long as the server asks, and not at all without a failure', () => {
    assert.equal(backoffMs(1, times, 0, 7000), 7000);
    assert.equal(backoffMs(0, times, 0.9), 0);
  });
});
