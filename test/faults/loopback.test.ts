import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loopback } from './loopback.ts';

test('runs side by side answer at addresses of their own', async (t) => {
  const [one, other] = [await Loopback.claim(), await Loopback.claim()];
  t.after(() => {
    one.release();
    other.release();
  });
  assert.notEqual(one.address(1), other.address(1));
  assert.match(one.address(258), /^127\.\d+\.1\.2$/);
});
