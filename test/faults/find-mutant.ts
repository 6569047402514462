/** Whether the suite finds a planted defect. */
import { bundleOperator } from './bundle.ts';
import type { Mutant } from './mutants.ts';
import { type Plan, placeOf, planOf } from './plans.ts';
import type { Stage } from './stage.ts';
import { type Learned, runPlans } from './suite.ts';
import type { WorkloadName } from './workloads.ts';

/** A mutant does not come to rest by itself. The operator comes through the same plans in less: a test makes sure. */
export const limitMs = 40_000;

/** Runs a mutant under its plans. @returns what told it from the operator; undefined = nothing did */
export async function findMutant(
  stage: Stage,
  { patches, plans, telling }: Mutant,
  learned: ReadonlyMap<WorkloadName, Learned>,
  directory: string,
): Promise<string | undefined> {
  for (const id of plans) {
    if (!isLearned(planOf(id), learned))
      throw new Error(`no run without a fault comes to the place of ${id}`);
  }
  const program = await bundleOperator(directory, patches);
  const results = await runPlans(stage, plans.map(planOf), learned, program, () => {}, limitMs);
  return results.flatMap(({ problems }) => problems).find((problem) => telling.test(problem));
}

function isLearned(plan: Plan, learned: ReadonlyMap<WorkloadName, Learned>): boolean {
  return learned.get(plan.workload)?.places.includes(placeOf(plan)) === true;
}
