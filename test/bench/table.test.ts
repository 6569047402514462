import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Line, peersTable } from '../../bench/peers-table.ts';
import { type SoakResult, soakTable } from '../../bench/soak/result.ts';
import { withTable } from '../../bench/table.ts';

const root = new URL('../..', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

function results<T>(file: string): T | undefined {
  try {
    return JSON.parse(read(`bench/results/${file}`)) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

test('docs/performance.md shows what bench/results/train.json holds', () => {
  const page = read('docs/performance.md');
  assert.equal(page, withTable(page, 'results', peersTable(results<Line[]>('train.json') ?? [])));
});

test('docs/reliability.md shows what bench/results/soak.json holds', () => {
  const page = read('docs/reliability.md');
  assert.equal(page, withTable(page, 'soak', soakTable(results<SoakResult>('soak.json'))));
});

test('a figure stands with its spread, its peer and its machine', () => {
  const line: Line = {
    case: 'a-step',
    ours: 1.5,
    peer: 3,
    peerName: 'a loop',
    ratio: 0.5,
    unit: 's',
    repeats: 5,
    spread: { ours: [1.4, 1.7], peer: [2.9, 3.2] },
    machine: '2 x some CPU',
    measuredAt: '2026-11-24',
  };
  const text = withTable(
    'a\n<!-- results -->\nold\n<!-- end of results -->\nb\n',
    'results',
    peersTable([line]),
  );
  assert.match(text, /^a\n/);
  assert.match(text, /\nb\n$/);
  assert.doesNotMatch(text, /old/);
  assert.match(
    text,
    /\| `a-step` \| 1\.5 \(1\.4 to 1\.7\) \| 3 \(2\.9 to 3\.2\) \| s \| 0\.5 \| a loop \| 2 x some CPU, 2026-11-24 \|/,
  );
});
