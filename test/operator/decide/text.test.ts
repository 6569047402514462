/** Text, numbers and curves from outside, made fit for status. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { historyOf, mergedHistory } from '../../../operator/decide/history.ts';
import { count, decimal, duration, jsonBytes, leading, line, tail } from '../../../operator/decide/text.ts';

const decimals: [number | null | undefined, string | undefined][] = [
  [0, '0'],
  [-0, '0'],
  [1, '1'],
  [0.1 + 0.2, '0.3'],
  [5e-5, '0.00005'],
  [1.23456789e-7, '1.23457e-7'],
  [-0.4567891, '-0.456789'],
  [1.5e21, '1.5e+21'],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [null, undefined],
  [undefined, undefined],
];
for (const [given, want] of decimals) {
  test(`${given} as a decimal is ${want}`, () => {
    assert.equal(decimal(given), want);
    if (want !== undefined) assert.match(want, /^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$/);
  });
}

test('counts are whole, not negative and finite', () => {
  assert.deepEqual([1.6, -3, Number.NaN, 1e300, undefined].map(count), [
    2,
    0,
    undefined,
    Number.MAX_SAFE_INTEGER,
    undefined,
  ]);
});

test('a long line keeps its start, a long log its end, both within their bytes as JSON', () => {
  for (const text of ['a'.repeat(500), 'é'.repeat(300), '"\\'.repeat(200), '🦊'.repeat(100)]) {
    assert.ok(jsonBytes(line(text, 100)) - 2 <= 100);
    assert.ok(jsonBytes(tail(text, 100)) - 2 <= 100);
  }
  assert.equal(line('abcdefgh', 6), 'abc…');
  assert.equal(tail('abcdefgh', 6), '…fgh');
  assert.equal(line('abcdef', 6), 'abcdef');
});

test('items that fit are kept from the front', () => {
  assert.deepEqual(leading(['aa', 'bb', 'cc'], 10), ['aa', 'bb']);
  assert.deepEqual(leading(['aa', 'bb'], 10), ['aa', 'bb']);
  assert.deepEqual(leading(['aaaa'], 3), []);
});

test('a long curve keeps its ends, its evaluations and an even spread of the rest', () => {
  const points = Array.from({ length: 500 }, (_, i): [number, number, number | null] => [
    i,
    1 / (i + 1),
    i % 100 === 50 ? 0.5 : null,
  ]);
  const history = historyOf(points);
  assert.ok(history.length <= 50 && jsonBytes(history) <= 2600);
  assert.deepEqual([history[0]?.step, history.at(-1)?.step], [0, 499]);
  assert.deepEqual(
    history.filter(({ evalLoss }) => evalLoss).map(({ step }) => step),
    [50, 150, 250, 350, 450],
  );
  const gaps = history.slice(1).map(({ step }, i) => step - history[i]!.step);
  assert.ok(Math.max(...gaps) <= 40, `widest gap ${Math.max(...gaps)}`);
});

test('of two reports the later one wins where both know a step', () => {
  const earlier = historyOf([
    [1, 0.9, null],
    [2, 0.8, null],
  ]);
  const later = historyOf([
    [2, 0.7, 0.6],
    [3, 0.5, null],
  ]);
  assert.deepEqual(mergedHistory(earlier, later), [
    { step: 1, trainLoss: '0.9' },
    { step: 2, trainLoss: '0.7', evalLoss: '0.6' },
    { step: 3, trainLoss: '0.5' },
  ]);
});

const durations: Record<number, string> = {
  0: '0s',
  0.4: '0s',
  59.6: '1m',
  250: '4m10s',
  3600: '1h',
  7529: '2h5m',
  86399: '23h59m',
  273600: '3d4h',
  259260: '3d',
};
for (const [seconds, text] of Object.entries(durations)) {
  test(`${seconds} seconds are ${text}`, () => assert.equal(duration(Number(seconds)), text));
}
test('no time is no duration', () => {
  assert.deepEqual([duration(undefined), duration(Number.NaN)], [undefined, undefined]);
});
