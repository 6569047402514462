/** What each plan came to, kept from slice to slice and plan to plan; bench/results/faults.json is computed from it. */
import { createHash } from 'node:crypto';
import type { Result } from './suite.ts';

type Verdict = Result['verdict'];

/** By id of the plan: its last verdict. By name of the planted defect: whether it was found. */
export type FaultRecord = { plans: Record<string, Verdict>; mutants: Record<string, boolean> };

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

/** Plans whose fault never struck are counted apart: they say nothing. */
export function summaryOf({ plans, mutants }: FaultRecord): Summary {
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
