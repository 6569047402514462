/** Few cases for each target; `npm run fuzz` tries many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempt, unlikelyShare } from './target.ts';
import { targets } from './targets.ts';

const seed = 1;
const cases = 2000;

for (const target of targets)
  test(`${target.name} (${cases} random cases)`, async () => {
    let refused = 0;
    for (let index = 0; index < cases; index++) {
      const tried = await attempt(target, seed, index);
      if ('error' in tried) throw new Error(`case ${index} of seed ${seed}`, { cause: tried.error });
      if (tried.refused) refused += 1;
    }
    assert.equal(unlikelyShare(target, refused, cases), undefined);
  });
