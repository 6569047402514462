import assert from 'node:assert/strict';
import { it } from 'node:test';
import { StringPool } from '../../../operator/kube/string-pool.ts';

it('sharing strings changes no value', () => {
  const made = new Date(0);
  const object = () => ({ a: 'True', list: ['True', { b: 'x'.repeat(301) }], made, none: null, n: 1 });
  const pool = new StringPool();
  assert.deepEqual(pool.share(object()), object());
  // More strings than it keeps.
  for (let i = 0; i < 30_000; i++) assert.deepEqual(pool.share([`${i}`, 'True']), [`${i}`, 'True']);
});
