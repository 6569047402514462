/**
 * npm run soak: the operator for half an hour with jobs that come and go all the time, while its requests fail and its
 * watches are cut at random moments. Real API server, etcd, Job controller, garbage collector and scheduler; kwok plays the
 * nodes. Memory, descriptors and sockets have to stay flat, each job has to reach its end, and never may two trainers live
 * for one job. Writes bench/results/soak.json and the table in docs/reliability.md.
 * Options: --minutes N (30; nothing is written with fewer), --seed S (1), --rate N (1.5 jobs a second).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { KubernetesObject } from '@kubernetes/client-node';
import { bundleOperator } from '../test/faults/bundle.ts';
import { collections } from '../test/faults/direct-api.ts';
import { FaultProxy } from '../test/faults/proxy.ts';
import { random } from '../trainer-image/data/random.ts';
import { keepLogs, withLogs } from './operator/logs.ts';
import { Site } from './operator/site.ts';
import { witness } from './operator/witness.ts';
import { place, storeResult } from './results.ts';
import { Book } from './soak/book.ts';
import { churn } from './soak/churn.ts';
import { type SoakResult, soakTable } from './soak/result.ts';
import { sampled } from './soak/sampler.ts';
import { RandomStriker } from './soak/striker.ts';
import { growths, type Sample, thinned } from './soak/verdict.ts';
import { writeTable } from './table.ts';

const resultsFile = join(import.meta.dirname, 'results', 'soak.json');
const wholeMinutes = 30;
const times = { preflightMs: 1000, trainMs: 6000 };
/** Preflight, training, and the seconds that the Job controller and the scheduler take. */
const lifeMs = 10_000;
/** Not that of npm run bench:operator, which may run beside it. */
const net = 140;
const everyMs = 10_000;
const drainMs = 300_000;
/** One of so many. A job is about 15 writes and 40 events. */
const rates = { writes: 50, opens: 10, events: 80 };

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: String(wholeMinutes) },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '1.5' },
  },
});
const [minutes, seed, perSecond] = [values.minutes, values.seed, values.rate].map(Number) as [
  number,
  number,
  number,
];
const log = (line: string) => console.error(line);
const directory = await mkdtemp(join(tmpdir(), 'soak-'));
try {
  const result = await soak(await bundleOperator(join(directory, 'operator')));
  if (minutes >= wholeMinutes) {
    await storeResult(resultsFile, result);
    await writeTable('reliability.md', 'soak', soakTable(result));
  }
  console.log(soakTable(result));
  for (const problem of result.problems) console.log(`✖ ${problem}`);
  process.exitCode = result.held ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function soak(program: string): Promise<SoakResult> {
  const controllers = ['job-controller', 'garbage-collector-controller'];
  const site = await Site.start({ ...times, active: 200, program, controllers, net });
  return withLogs(site, log, async () => {
    const result = await churnOn(site);
    if (!result.held) await keepLogs(site, log);
    return result;
  });
}

async function churnOn(site: Site): Promise<SoakResult> {
  const striker = new RandomStriker(random(seed, 1), rates);
  const proxy = new FaultProxy({
    access: site.api.access,
    striker,
    kill: () => {},
    restartServer: async () => {},
    isServerReady: () => true,
  });
  const book = new Book();
  const end = new AbortController();
  const watching = Object.values(collections).map(({ prefix, plural }) =>
    witness<KubernetesObject>(
      site.api,
      { path: `${prefix}/${plural}` },
      (seen) => book.see(seen),
      end.signal,
    ),
  );
  try {
    const { operator } = await site.startOperator(await proxy.start());
    const over = AbortSignal.timeout(minutes * 60_000);
    const underWay = () => book.open.length;
    const [samples] = await Promise.all([
      sampled(operator, { everyMs, underWay, onSample: (sample) => show(sample, book, striker) }, over),
      churn({ api: site.api, book, random: random(seed, 2), perSecond, lifeMs }, over),
    ]);
    await drained(book);
    return resultOf(samples, book, striker, proxy);
  } finally {
    end.abort();
    await Promise.all(watching);
    proxy.stop();
  }
}

/** Until every job is gone with all that was made for it, or the time is over. */
async function drained(book: Book): Promise<void> {
  const limit = performance.now() + drainMs;
  while (book.open.length > 0 && performance.now() < limit) await sleep(500);
  for (const left of book.open) book.problems.push(`after ${drainMs / 1000} s without new jobs: ${left}`);
}

function resultOf(samples: Sample[], book: Book, striker: RandomStriker, proxy: FaultProxy): SoakResult {
  const grown = growths(samples);
  const problems = [
    ...book.problems,
    ...proxy.idleWrites.map((id) => `a write that changed nothing: ${id}`),
    ...proxy.refused.map((what) => `not allowed: ${what}`),
  ];
  const last = samples.at(-1)!;
  return {
    minutes,
    seed,
    jobsPerSecond: perSecond,
    ...place(),
    held: grown.every(({ flat }) => flat) && problems.length === 0,
    growths: grown,
    jobs: { created: book.created, ends: book.ends },
    problems: problems.slice(0, 20),
    faults: striker.struck,
    passes: last.passes,
    errors: last.errors,
    cpuShare: Number((last.cpuSeconds / last.second).toPrecision(2)),
    samples: thinned(samples, 60),
  };
}

function show(sample: Sample, book: Book, striker: RandomStriker): void {
  const faults = Object.values(striker.struck).reduce((sum, count) => sum + count, 0);
  const { closed, created, problems } = book;
  log(
    `${JSON.stringify(sample)} jobs ${closed}/${created} faults ${faults} problems ${problems.length} ${problems.at(-1) ?? ''}`,
  );
}
