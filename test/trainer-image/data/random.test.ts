import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromState, random, shuffle } from '../../../trainer-image/data/random.ts';

test('the generator is xoshiro128** 1.1', () => {
  const { next } = fromState([1, 2, 3, 4]);
  // First outputs of the reference implementation in C from the state 1, 2, 3, 4.
  const want = [
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ];
  assert.deepEqual(want.map(next), want);
});

test('the same seeds give the same numbers, any other seeds give others', () => {
  const take = (...seeds: number[]) => Array.from({ length: 4 }, random(...seeds).next).join();
  const seeds = [[42], [43], [42, 0], [42, 1], [0, 42], [42, 1, 0], [2 ** 32 + 42], [2 ** 40]];
  const streams = seeds.map((list) => take(...list));
  assert.equal(new Set(streams).size, seeds.length);
  assert.deepEqual(
    seeds.map((list) => take(...list)),
    streams,
  );
  // A run must give the same order on every machine and in every version.
  assert.equal(take(42, 2, 0), random42);
});
const random42 = '399007851,3874974073,3856047888,1207307309';

test('below is even', () => {
  const source = random(7);
  const counts = new Array<number>(6).fill(0);
  for (let index = 0; index < 60_000; index++) {
    const value = source.below(6);
    counts[value] = (counts[value] ?? 0) + 1;
  }
  // Five standard deviations of a binomial count.
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 457, counts.join());
  assert.equal(random(1).below(1), 0);
});

test('shuffle gives every order equally often', () => {
  const source = random(3);
  const orders = new Map<string, number>();
  for (let index = 0; index < 24_000; index++) {
    const order = shuffle([0, 1, 2, 3], source).join('');
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assert.equal(orders.size, 24);
  for (const count of orders.values()) assert.ok(Math.abs(count - 1000) < 155, `${count}`);
});
