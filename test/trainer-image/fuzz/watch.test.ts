import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targets } from './planted.ts';
import { type Findings, fuzz } from './watch.ts';

const module = new URL('./planted.ts', import.meta.url).href;
const watch = { hangSeconds: 2, heapMegabytes: 64 };
const found = (target: string): Promise<Findings> => fuzz({ module, target, seed: 1, cases: 6 }, watch);

test('cases that crash, hang or take memory without end are named, and those behind them are tried', async () => {
  const findings = await Promise.all(targets.map(async ({ name }) => [name, await found(name)] as const));
  const short = findings.map(([name, { crashes, hangs, refused }]) => [
    name,
    crashes.map(({ index, error }) => `${index} ${/planted|memory|$/.exec(error)?.[0]}`),
    hangs,
    refused,
  ]);
  assert.deepEqual(short, [
    ['sound', [], [], 3],
    ['crash', ['3 planted'], [], 2],
    ['endless loop', [], [3], 2],
    ['endless wait', [], [3], 2],
    ['memory without end', ['3 memory'], [], 2],
  ]);
});
