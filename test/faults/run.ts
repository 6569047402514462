/**
 * `npm run test:faults`: every plan, then the planted defects; writes bench/results/faults.json.
 * `-- --plan ID` runs one plan and shows the operator's log; `--list` names all; `--workload NAME` only those of one, added
 * to what is recorded; `--mutants` only the planted defects; `--slice 2/6` a sixth of all, added to the slices since the
 * first one. A record is of one state of operator and suite: with another one it begins anew, and a difference stays in it
 * whatever comes of the plan when it is run again. The whole set fails on a difference, with fewer than a thousand plans, with
 * more than one in twenty that were never reached, or when a planted defect is not found.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleOperator } from './bundle.ts';
import { findMutant } from './find-mutant.ts';
import { mutants } from './mutants.ts';
import { idOf, type Plan, planOf } from './plans.ts';
import { digestOf, type FaultRecord, isInSlice, knownOf, merged, shortcomings, summaryOf } from './record.ts';
import { Stage } from './stage.ts';
import { allPlans, describe, type Learned, learnAll, type Result, runPlans } from './suite.ts';
import { type WorkloadName, workloads } from './workloads.ts';

const resultsFile = join(import.meta.dirname, '../../bench/results/faults.json');
/** Not part of the repository. */
const recordFile = join(import.meta.dirname, '../../tmp/faults.json');

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
/** A record begins with the first slice of all. */
const isFirst = named === undefined && values.workload === undefined && slice === 1;
const names = named?.map(({ workload }) => workload) ?? values.workload ?? Object.keys(workloads);

async function main(stage: Stage, directory: string): Promise<boolean> {
  const program = await bundleOperator(join(directory, 'operator'));
  const learned = await learnAll(stage, [...new Set(names as WorkloadName[])], program);
  const alone = [...learned.values()].map((each) => each.alone);
  for (const result of alone) if (result.verdict === 'different') console.log(describe(result));
  const all = wanted ?? allPlans(learned, Number(values.seed));
  if (values.list) {
    for (const plan of all) console.log(idOf(plan));
    return true;
  }
  const plans = values.mutants ? [] : all.filter((plan) => wanted || isInSlice(idOf(plan), slice, slices));
  console.log(`${plans.length} plans of ${learned.size} workloads`);
  const results = await show(stage, plans, learned, program);
  for (const { log } of wanted ? results : []) console.log(log.join('\n'));
  const isLast = wanted === undefined && values.workload === undefined && slice === slices;
  const found = values.mutants || isLast ? await tryMutants(stage, learned, directory) : {};
  const failures = await record([...alone, ...results], found, await stateOf(program));
  for (const failure of isLast ? failures : []) console.log(`✖ ${failure}`);
  const isGood = [...alone, ...results].every(({ verdict }) => verdict !== 'different');
  return isGood && Object.values(found).every(Boolean) && !(isLast && failures.length > 0);
}

/** No plan depends on them. */
const besidePlans = /(^(run|record|mutants|find-mutant)|\.test)\.ts$/;

/** What the verdicts are about. */
async function stateOf(program: string): Promise<Pick<FaultRecord, 'of' | 'ofMutants'>> {
  const names = await readdir(import.meta.dirname);
  const paths = (some: string[]) => some.map((name) => join(import.meta.dirname, name));
  const plans = [program, ...paths(names.filter((name) => !besidePlans.test(name)))];
  return {
    of: await digestOf(plans),
    ofMutants: await digestOf([...plans, ...paths(['mutants.ts', 'find-mutant.ts'])]),
  };
}

async function tryMutants(
  stage: Stage,
  learned: ReadonlyMap<WorkloadName, Learned>,
  directory: string,
): Promise<FaultRecord['mutants']> {
  const found: FaultRecord['mutants'] = {};
  for (const [i, mutant] of mutants.entries()) {
    const telling = await findMutant(stage, mutant, learned, join(directory, `mutant-${i}`));
    console.log(
      telling ? `✔ found: ${mutant.name}: ${telling.slice(0, 200)}` : `✖ NOT found: ${mutant.name}`,
    );
    found[mutant.name] = telling !== undefined;
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

/** @returns what the record lacks to show what it should */
async function record(
  results: readonly Result[],
  mutants: FaultRecord['mutants'],
  state: Pick<FaultRecord, 'of' | 'ofMutants'>,
): Promise<string[]> {
  const stored = await readRecord();
  if (!isFirst && stored?.of !== state.of)
    return ['nothing is recorded: there is no first slice of this operator and this suite'];
  // The first slice begins anew, but no difference is forgotten.
  const before = knownOf(stored, state);
  const kept = results.filter(({ plan }) => named === undefined || idOf(plan) in before.plans);
  const now = merged({ ...before, mutants: { ...before.mutants, ...mutants } }, kept);
  await write(recordFile, now);
  const summary = summaryOf(now);
  await write(resultsFile, summary);
  console.log(JSON.stringify(summary, null, 2));
  return shortcomings(summary);
}

/** undefined = nothing was recorded here. */
async function readRecord(): Promise<FaultRecord | undefined> {
  return existsSync(recordFile) ? (JSON.parse(await readFile(recordFile, 'utf8')) as FaultRecord) : undefined;
}

async function write(file: string, content: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
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
