/**
 * npm run bench:operator: the operator on a real API server and etcd, with the real Job controller and scheduler; kwok
 * plays the nodes. Writes bench/results/operator.json; a value is to be at most its bar.
 * Options: --case NAME (several; all without it, which takes about two hours on two cores), --jobs N (so many jobs in each,
 * and nothing is written), --active N (500) and --train-seconds N: how many trainers the queue lets in at a time, and how
 * long they train.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleOperator } from '../test/faults/bundle.ts';
import { cases } from './operator/cases.ts';
import type { Line } from './operator/lines.ts';
import { storeLines } from './results.ts';

const resultsFile = join(import.meta.dirname, 'results', 'operator.json');

const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: Object.keys(cases) },
    jobs: { type: 'string' },
    active: { type: 'string', default: '500' },
    'train-seconds': { type: 'string' },
  },
});
const log = (line: string) => console.error(line);
const directory = await mkdtemp(join(tmpdir(), 'bench-operator-'));
let met = true;
try {
  const program = await bundleOperator(join(directory, 'operator'));
  for (const name of values.case) {
    const found = cases[name];
    if (found === undefined)
      throw new Error(`there is no case ${name}; there are: ${Object.keys(cases).join(', ')}`);
    log(`── ${name}`);
    const lines = await found.measure({
      program,
      jobs: Number(values.jobs ?? found.jobs),
      active: Number(values.active),
      preflightMs: 1000,
      trainMs: Number(values['train-seconds'] ?? found.trainSeconds) * 1000,
      log,
    });
    for (const line of lines) show(line);
    if (values.jobs === undefined) await storeLines(resultsFile, lines, 'case');
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(met ? 0 : 1);

function show({ case: name, value, unit, bar, peer, peerName }: Line): void {
  const kept = bar === null || value <= bar;
  met &&= kept;
  const notes = [bar === null ? '' : ` (bar ${bar})`, peer === null ? '' : `; ${peerName}: ${peer}`];
  console.log(`${kept ? ' ' : '✖'} ${name}: ${value} ${unit}${notes.join('')}`);
}
