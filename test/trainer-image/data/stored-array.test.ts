import assert from 'node:assert/strict';
import { mkdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { random } from '../../../trainer-image/data/random.ts';
import { ArrayWriter } from '../../../trainer-image/data/stored-array.ts';
import { scratchFolder } from './scratch.ts';

const folder = scratchFolder();
mkdirSync(folder, { recursive: true });
const file = join(folder, 'numbers');

/** Written in pieces of random sizes, some above the size of the buffer. */
function written(numbers: Float64Array) {
  const writer = new ArrayWriter(file, Float64Array);
  const source = random(1);
  for (let start = 0; start < numbers.length; ) {
    const size = source.below(4) === 0 ? 20_000 : source.below(300);
    writer.append(numbers.subarray(start, start + size));
    start += size;
    assert.equal(writer.length, Math.min(start, numbers.length));
  }
  return writer.finish();
}
const numbers = Float64Array.from({ length: 70_001 }, (_, index) => Math.sin(index));

test('what was written is read, whole, in pieces and in blocks', () => {
  const stored = written(numbers);
  assert.equal(stored.length, numbers.length);
  assert.deepEqual(stored.slice(), numbers);
  const source = random(2);
  for (let round = 0; round < 500; round++) {
    const start = source.below(numbers.length);
    const end = Math.min(numbers.length, start + source.below(round % 50 === 0 ? 30_000 : 200));
    assert.deepEqual(stored.slice(start, end), numbers.slice(start, end));
    assert.equal(stored.at(start), numbers[start]);
  }
  assert.deepEqual(Float64Array.from(stored), numbers);
  assert.ok([...stored.blocks()].length > 2);
});

test('a piece stays as it is when another is read, and may be changed', () => {
  const stored = written(numbers);
  const first = stored.slice(0, 10);
  stored.slice(60_000, 60_010);
  assert.deepEqual(first, numbers.slice(0, 10));
  first.fill(0);
  assert.deepEqual(stored.slice(0, 10), numbers.slice(0, 10));
});

test('an array without numbers, and one that is written anew', () => {
  written(numbers);
  const stored = written(new Float64Array());
  assert.deepEqual([stored.length, [...stored], stored.slice()], [0, [], new Float64Array()]);
});

test('a file that lost its end is named', () => {
  const stored = written(numbers);
  truncateSync(file, 8 * 10_000);
  assert.deepEqual(stored.slice(0, 100), numbers.slice(0, 100));
  assert.throws(() => stored.slice(50_000, 50_001), {
    category: 'Internal',
    message: /^Cannot read .*numbers: it ends too early[.]$/,
  });
});

test('a folder that is not there is named', () =>
  assert.throws(() => new ArrayWriter(join(folder, 'missing', 'numbers'), Int32Array), {
    category: 'Internal',
    message: /Cannot write .*missing.numbers: ENOENT/,
  }));
