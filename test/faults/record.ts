/** What each plan came to, kept from slice to slice and plan to plan; bench/results/faults.json is computed from it. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { idOf } from './plans.ts';
import type { Result } from './suite.ts';

type Verdict = Result['verdict'];

/** Verdicts by id of the plan, findings by name of the planted defect. */
export type FaultRecord = {
  /** What was tried: digest of the operator's program and of this suite. Verdicts about anything else say nothing. */
  of: string;
  plans: Record<string, Verdict>;
  /** The same of the planted defects, which no plan depends on. */
  ofMutants: string;
  mutants: Record<string, boolean>;
};

/** What is known about this state of operator, suite and planted defects. */
export function knownOf(
  before: FaultRecord | undefined,
  state: Pick<FaultRecord, 'of' | 'ofMutants'>,
): FaultRecord {
  const isSame = before?.of === state.of;
  const areSame = isSame && before.ofMutants === state.ofMutants;
  return { ...state, plans: isSame ? before.plans : {}, mutants: areSame ? before.mutants : {} };
}

/** What the whole set has to come to. */
const fewestPlans = 1000;
const mostMissed = 0.05;

export type Tally = { plans: number; differences: number; missed: number };

export type Summary = {
  plans: number;
  differences: number;
  mutants: number;
  mutantsFound: number;
  byWorkload: Record<string, Tally>;
};

/** Whether a plan is in slice `slice` of `slices`, the first being 1: by its id alone, so no other plan moves it. */
export function isInSlice(id: string, slice: number, slices: number): boolean {
  return createHash('sha256').update(id).digest().readUInt32BE() % slices === slice - 1;
}

/** Digest of files, each by its path and content. */
export async function digestOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files.toSorted())
    hash
      .update(`${basename(file)}\0`)
      .update(await readFile(file))
      .update('\0');
  return hash.digest('hex');
}

/** With what was found now. What once came out differently stays so until the operator or the suite is another one. */
export function merged(
  before: FaultRecord,
  results: readonly Pick<Result, 'plan' | 'verdict'>[],
): FaultRecord {
  const plans = { ...before.plans };
  for (const { plan, verdict } of results) {
    const id = idOf(plan);
    if (plans[id] !== 'different') plans[id] = verdict;
  }
  return { ...before, plans };
}

/** Why the whole set, having been run, does not show what it should; empty = it does. */
export function shortcomings({ plans, differences, mutants, mutantsFound, byWorkload }: Summary): string[] {
  const missed = Object.values(byWorkload).reduce((sum, each) => sum + each.missed, 0);
  const most = Math.floor(mostMissed * (plans + missed));
  return [
    ...(differences === 0 ? [] : [`${differences} plans ended differently`]),
    ...(plans >= fewestPlans ? [] : [`${plans} plans, fewer than ${fewestPlans}`]),
    ...(missed <= most ? [] : [`${missed} plans never came to the place of their fault, more than ${most}`]),
    ...(mutants > 0 ? [] : ['no planted defect was tried']),
    ...(mutantsFound === mutants ? [] : [`${mutants - mutantsFound} planted defects were not found`]),
  ];
}

/** Plans whose fault never struck are counted apart: they say nothing. */
export function summaryOf({ plans, mutants }: Pick<FaultRecord, 'plans' | 'mutants'>): Summary {
  const byWorkload: Record<string, Tally> = {};
  for (const [id, verdict] of Object.entries(plans).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const workload = id.slice(0, id.indexOf('/'));
    byWorkload[workload] ??= { plans: 0, differences: 0, missed: 0 };
    const tally = byWorkload[workload];
    if (verdict === 'missed') tally.missed++;
    else tally.plans++;
    if (verdict === 'different') tally.differences++;
  }
  const sum = (field: keyof Tally) =>
    Object.values(byWorkload).reduce((total, each) => total + each[field], 0);
  const found = Object.values(mutants);
  return {
    plans: sum('plans'),
    differences: sum('differences'),
    mutants: found.length,
    mutantsFound: found.filter(Boolean).length,
    byWorkload,
  };
}
