/**
 * npm run bench:train: this project's trainer beside PyTorch and the Hugging Face Trainer, in one run on one machine.
 * Writes bench/results/train.json and the table in docs/performance.md; ratio = ours / peer, below 1 is better.
 * Options: --case NAME (several; all without it), --repeats N (5), --threads N (2).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pythonPeers } from '../test/golden/python.ts';
import { mean, median } from './averages.ts';
import { cases, type Measured } from './cases.ts';
import { type Line, peersTable } from './peers-table.ts';
import { place, storeLines } from './results.ts';
import { writeTable } from './table.ts';

const resultsFile = join(import.meta.dirname, 'results', 'train.json');

const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: Object.keys(cases) },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
  },
});
const log = (line: string) => console.error(line);
const python = await pythonPeers(log);
const directory = await mkdtemp(join(tmpdir(), 'bench-train-'));
try {
  for (const name of values.case) {
    const measure = cases[name];
    if (measure === undefined)
      throw new Error(`there is no case ${name}; there are: ${Object.keys(cases).join(', ')}`);
    log(`── ${name}`);
    const repeats = Number(values.repeats);
    const measured = await measure({ python, directory, threads: Number(values.threads), repeats, log });
    // After each case: what was measured is not lost with what comes later.
    await store(measured.map(lineOf));
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}

function lineOf({ case: name, unit, peerName, ours, peer, seeds }: Measured): Line {
  const middle = seeds === undefined ? median : mean;
  const rounded = (value: number) => Number(value.toPrecision(4));
  const range = (all: number[]): [number, number] => [rounded(Math.min(...all)), rounded(Math.max(...all))];
  return {
    case: name,
    ours: rounded(middle(ours)),
    peer: rounded(middle(peer)),
    peerName,
    ratio: rounded(middle(ours) / middle(peer)),
    unit,
    repeats: ours.length,
    spread: { ours: range(ours), peer: range(peer) },
    ...(seeds && { bySeed: { seeds, ours: ours.map(rounded), peer: peer.map(rounded) } }),
    ...place(),
  };
}

async function store(lines: readonly Line[]): Promise<void> {
  const all = await storeLines(resultsFile, lines, 'case');
  await writeTable('performance.md', 'results', peersTable(all));
  for (const line of lines)
    console.log(`${line.case}: ${line.ours} against ${line.peer} ${line.unit} (ratio ${line.ratio})`);
}
