import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import {
  countNearDuplicates,
  countNearLeaked,
  nearSimilarity,
  signaturesOf,
  similarity,
} from '../../../trainer-image/data/near-duplicates.ts';
import { type Random, random } from '../../../trainer-image/data/random.ts';

/** Rows of tokens as near-duplicates.ts reads them; every text is another one unless keys say otherwise. */
function split(rows: number[][], keys = rows.map((_, row) => `${row}`)) {
  const offsets = new Float64Array(rows.length + 1);
  for (const [row, ids] of rows.entries()) offsets[row + 1] = (offsets[row] as number) + ids.length;
  const textKeys = Uint32Array.from(
    keys.flatMap((key) => {
      const bytes = hash('sha256', key, 'buffer');
      return [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
    }),
  );
  return { rows: rows.length, ids: Int32Array.from(rows.flat()), offsets, textKeys };
}
const randomIds = (length: number, source: Random) => Array.from({ length }, () => source.below(30_000));
const runs = (ids: number[]) => new Set(ids.slice(2).map((_, at) => ids.slice(at, at + 3).join()));
function jaccard(a: number[], b: number[]): number {
  const [left, right] = [runs(a), runs(b)];
  const common = [...left].filter((run) => right.has(run)).length;
  return common / (left.size + right.size - common);
}
/** The row with some tokens replaced, one here and one there. */
function edited(ids: number[], edits: number, source: Random): number[] {
  const copy = [...ids];
  for (let edit = 0; edit < edits; edit++) copy[source.below(copy.length)] = source.below(30_000);
  return copy;
}

test('the estimate is the Jaccard index within its standard deviation, without bias', () => {
  const source = random(1);
  const errors: number[] = [];
  for (let round = 0; round < 600; round++) {
    const ids = randomIds(40 + source.below(300), source);
    const other = edited(ids, source.below(12), source);
    const signatures = signaturesOf(split([ids, other]));
    errors.push(similarity(signatures.subarray(0, 64), signatures.subarray(64)) - jaccard(ids, other));
  }
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const deviation = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
  assert.ok(Math.abs(mean) < 0.01, `the mean error is ${mean}`);
  assert.ok(deviation < 0.06, `the standard deviation is ${deviation}`);
});

test('nearly all pairs well above the threshold are found, and none well below', () => {
  const source = random(2);
  const found = { above: 0, below: 0 };
  const pairs = { above: 0, below: 0 };
  for (let round = 0; round < 1500; round++) {
    const ids = randomIds(60 + source.below(100), source);
    const other = edited(ids, source.below(14), source);
    const index = jaccard(ids, other);
    const side = index > nearSimilarity + 0.1 ? 'above' : index < nearSimilarity - 0.2 ? 'below' : undefined;
    if (side === undefined) continue;
    pairs[side] += 1;
    found[side] += countNearDuplicates(split([ids, other]));
  }
  assert.ok(pairs.above > 200 && pairs.below > 200, JSON.stringify(pairs));
  assert.ok(found.above > 0.97 * pairs.above, JSON.stringify({ found, pairs }));
  assert.ok(found.below < 0.01 * pairs.below, JSON.stringify({ found, pairs }));
});

test('random texts are not near each other, however short', () => {
  const source = random(3);
  const rows = Array.from({ length: 5000 }, () => randomIds(2 + source.below(60), source));
  assert.equal(countNearDuplicates(split(rows)), 0);
});

test('a row is near to an earlier one, not to itself or a later one; exact repeats are not counted', () => {
  const source = random(4);
  const first = randomIds(100, source);
  const near = [...first.slice(0, 99), 29_999];
  assert.equal(countNearDuplicates(split([first, near])), 1);
  assert.equal(countNearDuplicates(split([first, near, near, near], ['a', 'b', 'b', 'b'])), 1);
  assert.equal(countNearDuplicates(split([first, first], ['a', 'a'])), 0);
  assert.equal(countNearDuplicates(split([])), 0);
  assert.equal(countNearLeaked(split([near, randomIds(100, source)], ['n', 'r']), split([first], ['f'])), 1);
  assert.equal(countNearLeaked(split([first], ['f']), split([first], ['f'])), 0);
});

test('many rows of one template cost about as much as others', () => {
  const source = random(5);
  const base = randomIds(80, source);
  // Alike enough to meet in many bands, and not enough to be near: nothing ends the search for a near one.
  const templates = Array.from({ length: 10_000 }, () => edited(base, 3, source));
  const others = Array.from({ length: 10_000 }, () => randomIds(80, source));
  /** Seconds of computing, whatever else runs on the machine. */
  const seconds = (rows: number[][]) => {
    const given = split(rows);
    const before = process.threadCpuUsage();
    countNearDuplicates(given);
    return process.threadCpuUsage(before).user / 1e6;
  };
  seconds(others);
  const [same, different] = [seconds(templates), seconds(others)];
  assert.ok(same < 40 * different, `${same} s against ${different} s`);
});
