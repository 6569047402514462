import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, growths, type Sample, thinned } from '../../../bench/soak/verdict.ts';

const hour = 3600;

/** Half an hour of samples, one each ten seconds. */
function samples(change: (second: number, i: number) => Partial<Sample> = () => ({})): Sample[] {
  return Array.from({ length: 180 }, (_, i) => ({
    second: i * 10,
    rssMiB: 120 + (i % 7),
    heapMiB: 30 + (i % 11),
    descriptors: 25 + (i % 3),
    sockets: 10 + (i % 3),
    series: 900 + (i % 50),
    cached: 100,
    underWay: 60 + (i % 9),
    passes: i * 200,
    errors: 0,
    cpuSeconds: i * 2,
    ...change(i * 10, i),
  }));
}

const risen = (list: readonly Sample[]): Figure[] =>
  growths(list)
    .filter(({ flat }) => !flat)
    .map(({ figure }) => figure);

test('what goes up and down is flat', () => {
  assert.deepEqual(risen(samples()), []);
});

test('what grows steadily is found, whichever it is', () => {
  assert.deepEqual(risen(samples((second) => ({ rssMiB: 120 + (60 * second) / hour }))), ['rssMiB']);
  assert.deepEqual(risen(samples((second) => ({ heapMiB: 30 + (20 * second) / hour }))), ['heapMiB']);
  assert.deepEqual(risen(samples((second) => ({ descriptors: Math.round(20 + (20 * second) / hour) }))), [
    'descriptors',
  ]);
  assert.deepEqual(risen(samples((second) => ({ sockets: Math.round(10 + (20 * second) / hour) }))), [
    'sockets',
  ]);
  assert.deepEqual(risen(samples((second) => ({ series: Math.round(900 + (600 * second) / hour) }))), [
    'series',
  ]);
  assert.deepEqual(risen(samples((second) => ({ underWay: Math.round(60 + (200 * second) / hour) }))), [
    'underWay',
  ]);
});

test('what grows by a quarter in an hour is found too', () => {
  assert.deepEqual(risen(samples((second, i) => ({ rssMiB: 120 + (i % 7) + (40 * second) / hour }))), [
    'rssMiB',
  ]);
  assert.deepEqual(risen(samples((second, i) => ({ rssMiB: 120 + (i % 7) + (18 * second) / hour }))), []);
});

test('a start that takes memory is no leak, and one peak neither', () => {
  const warm = samples((second, i) => ({
    rssMiB: second < 300 ? 60 + second / 5 : i === 170 ? 400 : 120,
  }));
  assert.deepEqual(risen(warm), []);
  assert.equal(growths(warm)[0]!.highest, 400);
});

test('the change in an hour is the slope of the last two thirds', () => {
  const rising = samples((second) => ({ rssMiB: second < 600 ? 500 : 100 + (36 * second) / hour }));
  assert.ok(Math.abs(growths(rising)[0]!.perHour - 36) < 0.01);
});

test('too few samples are not judged', () => {
  assert.throws(() => growths(samples().slice(0, 7)), /7 samples are too few/);
});

test('thinned samples are spread evenly and end with the last one', () => {
  const few = thinned(samples(), 60);
  assert.equal(few.length, 60);
  assert.equal(few.at(-1)!.second, 1790);
  assert.deepEqual(thinned(few, 60), few);
});
