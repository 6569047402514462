/** Learns the workloads, runs plans side by side and says what came out differently. */
import { availableParallelism } from 'node:os';
import { differences } from './end-state.ts';
import { noFault } from './faults.ts';
import { mutants } from './mutants.ts';
import { idOf, isServerFault, type Plan, planOf, plansFor } from './plans.ts';
import type { Stage } from './stage.ts';
import { type Reference, runTrial } from './trial.ts';
import { type Workload, type WorkloadName, workloads } from './workloads.ts';

export type Learned = {
  reference: Reference;
  /** Places that all fault-free runs went through: "name.nth". */
  places: string[];
  /** What was wrong without a fault: a difference between the runs is one of the operator, like any other. */
  alone: Result;
};

/** `missed`: the run never came to the place of the fault, so it says nothing. */
export type Result = {
  plan: Plan;
  verdict: 'same' | 'different' | 'missed';
  problems: string[];
  log: string[];
};

/** Trials that run side by side: they mostly wait. */
const sideBySide = 5 * availableParallelism();
const silentAtOnce = 4;

/** Two runs without a fault, which have to come to the same. */
export async function learn(stage: Stage, name: WorkloadName, program: string): Promise<Learned> {
  const trial = { workload: workloads[name] as Workload, fault: noFault, program };
  const [one, other] = await Promise.all([runTrial(stage, trial), runTrial(stage, trial)]);
  const differing = differences(one.endState, other.endState, trial.workload.unsettled);
  const problems = [...one.problems, ...other.problems, ...differing];
  const places = one.seen.filter((place) => other.seen.includes(place));
  const plan = { workload: name, fault: noFault };
  const verdict = problems.length === 0 ? 'same' : 'different';
  return {
    reference: { endState: one.endState, work: one.work },
    places: [...new Set(places)],
    alone: { plan, verdict, problems, log: [...one.log, ...other.log] },
  };
}

export async function learnAll(
  stage: Stage,
  names: readonly WorkloadName[],
  program: string,
): Promise<Map<WorkloadName, Learned>> {
  const learned = await parallel(names, sideBySide / 2, (name) => learn(stage, name, program));
  return new Map(names.map((name, i) => [name, learned[i]!]));
}

/**
 * All plans. The first workload is tried in full; the others with every kill, and a few other faults where they differ from it.
 * The plans that find the planted defects are among them.
 */
export function allPlans(learned: ReadonlyMap<WorkloadName, Learned>, seed: number): Plan[] {
  const common = learned.get('success')?.places ?? [];
  const plans = [...learned].flatMap(([name, { places }]) => {
    // Two processes at once are never the same as one.
    const isAlone = ((workloads[name] as Workload).replicas ?? 1) === 1;
    return plansFor(name, places, name === 'success' ? 'nowhere' : isAlone ? common : [], seed);
  });
  const ofMutants = mutants.flatMap((mutant) => mutant.plans.map(planOf));
  const all = [...plans, ...ofMutants.filter(({ workload }) => learned.has(workload))];
  return [...new Map(all.map((plan) => [idOf(plan), plan])).values()];
}

/** Plans that restart the API server disturb the others, so they come last and one by one. */
export async function runPlans(
  stage: Stage,
  plans: readonly Plan[],
  learned: ReadonlyMap<WorkloadName, Learned>,
  program: string,
  onResult: (result: Result) => void = () => {},
  limitMs?: number,
): Promise<Result[]> {
  const one = async (plan: Plan) => {
    const { reference } = learned.get(plan.workload)!;
    const result = await runPlan(stage, plan, reference, program, limitMs);
    onResult(result);
    return result;
  };
  const isSilence = ({ fault }: Plan) => fault.how === 'silence';
  // Silence is noticed after minutes, in which next to nothing is done.
  const [silent, quick] = await Promise.all([
    parallel(plans.filter(isSilence), silentAtOnce, one),
    parallel(
      plans.filter((plan) => !isServerFault(plan) && !isSilence(plan)),
      sideBySide,
      one,
    ),
  ]);
  const slow = await parallel(plans.filter(isServerFault), 1, one);
  return [...silent, ...quick, ...slow];
}

async function runPlan(
  stage: Stage,
  plan: Plan,
  reference: Reference,
  program: string,
  limitMs?: number,
): Promise<Result> {
  const trial = { workload: workloads[plan.workload] as Workload, fault: plan.fault, program };
  for (let tries = 1; ; tries++) {
    const { fired, problems, log } = await runTrial(stage, trial, reference, limitMs);
    if (problems.length > 0) return { plan, verdict: 'different', problems, log };
    if (fired || plan.fault.how === 'none') return { plan, verdict: 'same', problems, log };
    if (tries === 2) return { plan, verdict: 'missed', problems, log };
  }
}

/**
 * Results in the order of the list; at most `limit` at a time. When one fails no other is begun, and those under way are
 * waited for: the stage must not be taken down under them.
 */
async function parallel<T, R>(list: readonly T[], limit: number, act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = list.entries();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const [index, item] of waiting) {
      if (failures.length > 0) return;
      await act(item).then(
        (result) => {
          results[index] = result;
        },
        (error: unknown) => failures.push(error),
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, list.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}

/** For people: the plan, what was wrong, and how to see it again. */
export function describe({ plan, problems }: Result): string {
  const lines = problems.slice(0, 8).map((problem) => `    ${problem.slice(0, 600)}`);
  return [`✖ ${idOf(plan)}`, ...lines, `    again: npm run test:faults -- --plan ${idOf(plan)}`].join('\n');
}
