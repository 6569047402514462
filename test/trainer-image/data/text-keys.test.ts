import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random } from '../../../trainer-image/data/random.ts';
import { TextIndex } from '../../../trainer-image/data/text-keys.ts';

/** Keys as a split has them; few different ones, so that slots are shared. */
const keysOf = (texts: readonly (readonly [number, number])[]) => ({
  textKeys: Uint32Array.from(texts.flat()),
});

test('the first row of each text is found, and which texts are in another split', () => {
  const source = random(1);
  const draw = (count: number) =>
    Array.from({ length: count }, () => [source.below(40), source.below(3)] as const);
  for (const rows of [1, 2, 7, 500]) {
    const [train, other] = [draw(rows), draw(rows)];
    const index = new TextIndex(keysOf(train));
    const names = train.map(String);
    assert.deepEqual(
      [...index.firstRows],
      names.map((name) => names.indexOf(name)),
    );
    assert.deepEqual(
      [...index.holds(keysOf(other))],
      other.map((one) => (names.includes(String(one)) ? 1 : 0)),
    );
  }
});

test('no texts', () => {
  const index = new TextIndex(keysOf([]));
  assert.deepEqual([...index.firstRows], []);
  assert.deepEqual([...index.holds(keysOf([[1, 2]]))], [0]);
});
