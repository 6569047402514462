/**
 * `npm run test:faults`: every plan, then the planted defects; writes bench/results/faults.json.
 * `-- --plan ID` runs one plan and shows the operator's log; `--list` names all; `--workload NAME` only those of one;
 * `--mutants` only the planted defects; `--slice 2/6` every sixth, added to what the slices before it found.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleOperator } from './bundle.ts';
import { findMutant, mutants } from './mutants.ts';
import { idOf, type Plan, planOf } from './plans.ts';
import { Stage } from './stage.ts';
import { allPlans, describe, type Learned, learnAll, type Result, runPlans } from './suite.ts';
import { type WorkloadName, workloads } from './workloads.ts';

const resultsFile = join(import.meta.dirname, '../../bench/results/faults.json');

type Tally = { plans: number; differences: number; missed: number };
type Results = {
  plans: number;
  differences: number;
  mutants: number;
  mutantsFound: number;
  byWorkload: Record<string, Tally>;
};

const { values } = parseArgs({
  options: {
    plan: { type: 'string', multiple: true },
    workload: { type: 'string', multiple: true },
    list: { type: 'boolean' },
    seed: { type: 'string', default: '1' },
    slice: { type: 'string', default: '1/1' },
    mutants: { type: 'boolean' },
  },
});
const [slice = 1, slices = 1] = values.slice.split('/').map(Number);
const wanted = values.plan?.map(planOf);
const ofMutants = mutants.flatMap(({ plans }) => plans.map(planOf));
const named = wanted ?? (values.mutants ? ofMutants : undefined);
const names = named?.map(({ workload }) => workload) ?? values.workload ?? Object.keys(workloads);

async function main(stage: Stage, directory: string): Promise<boolean> {
  const program = await bundleOperator(join(directory, 'operator'));
  const learned = await learnAll(stage, [...new Set(names as WorkloadName[])], program);
  const all = wanted ?? allPlans(learned, Number(values.seed));
  if (values.list) {
    for (const plan of all) console.log(idOf(plan));
    return true;
  }
  if (values.mutants) return (await tryMutants(stage, learned, directory)).every(Boolean);
  const plans = all.filter((_, i) => i % slices === slice - 1);
  console.log(`${plans.length} plans of ${learned.size} workloads`);
  const results = await show(stage, plans, learned, program);
  if (wanted !== undefined) {
    for (const { log } of results) console.log(log.join('\n'));
    return results.every(({ verdict }) => verdict === 'same');
  }
  const found = slice === slices ? await tryMutants(stage, learned, directory) : [];
  const total = await record(results, found);
  console.log(JSON.stringify(total, null, 2));
  return results.every(({ verdict }) => verdict !== 'different') && found.every(Boolean);
}

async function tryMutants(
  stage: Stage,
  learned: ReadonlyMap<WorkloadName, Learned>,
  directory: string,
): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const mutant of mutants) {
    const telling = await findMutant(stage, mutant, learned, join(directory, `mutant-${found.length}`));
    console.log(
      telling ? `✔ found: ${mutant.name}: ${telling.slice(0, 200)}` : `✖ NOT found: ${mutant.name}`,
    );
    found.push(telling !== undefined);
  }
  return found;
}

async function show(
  stage: Stage,
  plans: readonly Plan[],
  learned: ReadonlyMap<WorkloadName, Learned>,
  program: string,
): Promise<Result[]> {
  const started = performance.now();
  let done = 0;
  return runPlans(stage, plans, learned, program, (result) => {
    done++;
    if (result.verdict === 'different') console.log(describe(result));
    if (result.verdict === 'missed') console.log(`- ${idOf(result.plan)} was never reached`);
    if (done % 50 === 0)
      console.log(`${done} of ${plans.length}, ${Math.round((performance.now() - started) / 1000)} s`);
  });
}

/** Plans whose fault never struck are not counted as plans. */
async function record(results: readonly Result[], found: readonly boolean[]): Promise<Results> {
  const before = slice > 1 ? (JSON.parse(await readFile(resultsFile, 'utf8')) as Results) : undefined;
  const byWorkload: Record<string, Tally> = { ...before?.byWorkload };
  for (const { plan, verdict } of results) {
    const { plans = 0, differences = 0, missed = 0 } = byWorkload[plan.workload] ?? {};
    byWorkload[plan.workload] = {
      plans: plans + (verdict === 'missed' ? 0 : 1),
      differences: differences + (verdict === 'different' ? 1 : 0),
      missed: missed + (verdict === 'missed' ? 1 : 0),
    };
  }
  const sum = (field: keyof Tally) =>
    Object.values(byWorkload).reduce((total, each) => total + each[field], 0);
  const total = {
    plans: sum('plans'),
    differences: sum('differences'),
    mutants: found.length,
    mutantsFound: found.filter(Boolean).length,
    byWorkload,
  };
  await mkdir(dirname(resultsFile), { recursive: true });
  await writeFile(resultsFile, `${JSON.stringify(total, null, 2)}\n`);
  return total;
}

const directory = await mkdtemp(join(tmpdir(), 'finetune-faults-'));
const stage = await Stage.start('faults');
let good = false;
try {
  good = await main(stage, directory);
} finally {
  await stage.stop();
  await rm(directory, { recursive: true, force: true });
}
process.exit(good ? 0 : 1);
