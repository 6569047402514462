/**
 * npm run fuzz: many random cases for everything of the trainer that reads what others wrote: safetensors, all data
 * readers, config.json, the run config. Writes a line for each target into bench/results/fuzz.json.
 * Options: --seed S (1), --target NAME (all, one process after the other), --cases N (100,000 for each target; with
 * another number nothing is written).
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { storeLines } from '../../../bench/results.ts';
import { unlikelyShare } from './target.ts';
import { targetOf, targets } from './targets.ts';
import { fuzz } from './watch.ts';

const watch = { hangSeconds: 10, heapMegabytes: 256 };
/** Resident, with Node and all that is loaded; a target that takes more fails. */
const mostRssBytes = 1024 ** 3;
/** Cases for each target, as docs/reliability.md has it. */
const promised = 100_000;
const shownCrashes = 5;
const results = join(import.meta.dirname, '../../../bench/results/fuzz.json');

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: String(promised) },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
  },
});

async function fuzzOne(name: string, cases: number, seed: number): Promise<boolean> {
  const target = targetOf(name);
  const started = performance.now();
  const module = new URL('./targets.ts', import.meta.url).href;
  const onProgress = (done: number) => console.log(`  ${name}: ${done} of ${cases}`);
  const found = await fuzz({ module, target: name, seed, cases }, { ...watch, onProgress });
  const line = {
    target: name,
    cases,
    refused: found.refused,
    crashes: found.crashes.length,
    hangs: found.hangs.length,
    slowestMilliseconds: Math.round(found.slowestMilliseconds),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
    seed,
    machine: `${availableParallelism()} x ${cpus()[0]?.model}`,
    measuredAt: new Date().toISOString().slice(0, 10),
  };
  if (cases === promised) await storeLines(results, [line], 'target');
  const problems = [
    ...found.crashes.slice(0, shownCrashes).map(({ index, error }) => `case ${index}: ${error}`),
    ...found.hangs.map((index) => `case ${index} takes more than ${watch.hangSeconds} s`),
    unlikelyShare(target, found.refused, cases) ?? [],
    line.peakRssBytes > mostRssBytes ? `it takes ${line.peakRssBytes} bytes of memory` : [],
  ].flat();
  const sum = `${cases} cases, ${line.crashes} crashes, ${line.hangs} hangs, ${line.refused} refused`;
  console.log(`${problems.length === 0 ? '✔' : '✖'} ${name}: ${sum}, ${line.seconds} s`);
  for (const problem of problems) console.log(problem);
  return problems.length === 0;
}

if (values.target !== undefined) {
  const sound = await fuzzOne(values.target, Number(values.cases), Number(values.seed));
  process.exit(sound ? 0 : 1); // even if a thread hangs in native code
}
// Each in a process of its own, so that its peak of memory is its own.
const failed = targets.filter(({ name }) => {
  const options = [`--cases=${values.cases}`, `--seed=${values.seed}`, `--target=${name}`];
  const own = spawnSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), ...options], {
    stdio: 'inherit',
  });
  if (own.signal !== null) console.log(`✖ ${name}: its process was ended by ${own.signal}`);
  return own.status !== 0;
});
console.log(`${targets.length} targets, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
