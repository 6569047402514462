/** Learns the workloads, runs plans side by side and says what came out differently. */
import { availableParallelism } from 'node:os';
import { differences, type EndState } from './end-state.ts';
import { noFault } from './faults.ts';
import { idOf, isServerFault, type Plan, plansFor } from './plans.ts';
import type { Stage } from './stage.ts';
import { type Outcome, runTrial } from './trial.ts';
import { type Workload, type WorkloadName, workloads } from './workloads.ts';

export type Learned = {
  reference: EndState;
  /** Places that all fault-free runs went through: "name.nth". */
  places: string[];
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

/** Two runs without a fault; a third one decides where they differ. @throws Error when none equals another */
export async function learn(stage: Stage, name: WorkloadName, program: string): Promise<Learned> {
  const trial = { workload: workloads[name] as Workload, fault: noFault, program };
  const differing = (one: Outcome, other: Outcome) =>
    differences(one.endState, other.endState, trial.workload.unsettled);
  const runs = await Promise.all([runTrial(stage, trial), runTrial(stage, trial)]);
  if (differing(runs[0]!, runs[1]!).length > 0) runs.push(await runTrial(stage, trial));
  const complaints = runs.flatMap(({ problems }) => problems);
  if (complaints.length > 0) throw new Error(`${name} fails without any fault: ${complaints.join('; ')}`);
  const equal = runs.filter((run) => differing(runs.at(-1)!, run).length === 0);
  if (equal.length < 2) {
    const [one, other] = runs as [Outcome, Outcome];
    throw new Error(`${name} ends differently each time: ${differing(one, other).join('\n')}`);
  }
  const places = equal[0]!.seen.filter((place) => equal.every(({ seen }) => seen.includes(place)));
  return { reference: equal[0]!.endState, places: [...new Set(places)] };
}

export async function learnAll(
  stage: Stage,
  names: readonly WorkloadName[],
  program: string,
): Promise<Map<WorkloadName, Learned>> {
  const learned = await parallel(names, sideBySide / 2, (name) => learn(stage, name, program));
  return new Map(names.map((name, i) => [name, learned[i]!]));
}

/** All plans. The first workload is tried in full; the others where they differ from it, and once where they do not. */
export function allPlans(learned: ReadonlyMap<WorkloadName, Learned>, seed: number): Plan[] {
  const common = learned.get('success')?.places ?? [];
  return [...learned].flatMap(([name, { places }]) => {
    // Two processes at once are never the same as one.
    const isAlone = ((workloads[name] as Workload).replicas ?? 1) === 1;
    return plansFor(name, places, name === 'success' ? 'nowhere' : isAlone ? common : [], seed);
  });
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
  const quick = await parallel(
    plans.filter((plan) => !isServerFault(plan)),
    sideBySide,
    one,
  );
  const slow = await parallel(plans.filter(isServerFault), 1, one);
  return [...quick, ...slow];
}

async function runPlan(
  stage: Stage,
  plan: Plan,
  reference: EndState,
  program: string,
  limitMs?: number,
): Promise<Result> {
  const trial = { workload: workloads[plan.workload] as Workload, fault: plan.fault, program };
  for (let tries = 1; ; tries++) {
    const { fired, problems, log } = await runTrial(stage, trial, reference, limitMs);
    if (problems.length > 0) return { plan, verdict: 'different', problems, log };
    if (fired) return { plan, verdict: 'same', problems, log };
    if (tries === 3) return { plan, verdict: 'missed', problems, log };
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
