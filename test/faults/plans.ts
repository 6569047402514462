/** Plans: which fault strikes where in which workload. Made from what the fault-free runs did, always the same way. */
import { createHash } from 'node:crypto';
import { eventFaults, type Fault, openFaults, serverFaults, writeFaults } from './faults.ts';
import { type WorkloadName, workloads } from './workloads.ts';

export type Plan = { workload: WorkloadName; fault: Fault };

type How = Fault['how'];

/** "success/kill-before/create-job-train.1": enough to run it again. */
export function idOf(plan: Plan): string {
  return `${plan.workload}/${plan.fault.how}/${placeOf(plan)}`;
}

/** "create-job-train.1" */
export function placeOf({ fault: { at, nth } }: Plan): string {
  return `${at}.${nth}`;
}

/** @throws Error on what is no id of a plan */
export function planOf(id: string): Plan {
  const [, workload = '', how = '', at = '', nth = ''] = /^([^/]+)\/([^/]+)\/(.+)\.(\d+)$/.exec(id) ?? [];
  const known: readonly string[] = [...writeFaults, ...eventFaults, ...openFaults, ...serverFaults];
  if (!(workload in workloads) || !known.includes(how)) throw new Error(`"${id}" is no plan`);
  return { workload: workload as WorkloadName, fault: { how: how as How, at, nth: Number(nth) } };
}

/** Of an Event, on which nothing depends: what could hold up the rest. */
const besideFaults: readonly How[] = ['429', '500', 'hang'];
const leaseFaults: readonly How[] = ['409', '500', 'reset', 'hang'];

const kinds = {
  kills: ['kill-before', 'kill-unanswered', 'kill-after'] as const,
  answers: writeFaults.filter((how) => !how.startsWith('kill') || how === 'kill-stale'),
  events: eventFaults.filter((how) => how !== 'silence'),
};

/** How many of the faults that are possible at one place are tried where a workload differs from the first; all kills are. */
const brief = 1;

/** The lease is renewed for ever: so often counts. */
const renewals = 3;

/**
 * @param places what the fault-free runs have in common: "name.nth"
 * @param elsewhere places of a workload that is tried in full: there only the writes are tried again, each with one kill;
 *   'nowhere' = this is that workload, tried with every fault at every place
 * @param seed chooses among the faults of a place
 */
export function plansFor(
  workload: WorkloadName,
  places: readonly string[],
  elsewhere: readonly string[] | 'nowhere',
  seed: number,
): Plan[] {
  const make = (place: string, how: How): Plan => planOf(`${workload}/${how}/${place}`);
  const choose = <T>(list: readonly T[], count: number, salt: string) =>
    inOrderOf(list, (each) => `${seed} ${workload} ${salt} ${each}`).slice(0, count);
  const plans = places.filter(isCounted).flatMap((place) => {
    const [kills, others] = possibleAt(place);
    if (elsewhere === 'nowhere') return [...kills, ...others].map((how) => make(place, how));
    const hows = elsewhere.includes(place)
      ? choose(isObjectWrite(place) ? kills : [], 1, `again ${place}`)
      : [...kills, ...choose(others, brief, place)];
    return hows.map((how) => make(place, how));
  });
  const writes = places.filter(isObjectWrite);
  const events = places.filter((place) => place.startsWith('event-of-'));
  const rare = [
    ...choose(writes, serverFaults.length, 'server').map((place, i) => make(place, serverFaults[i]!)),
    ...choose(events, 1, 'silence').map((place) => make(place, 'silence')),
  ];
  return [...plans, ...rare];
}

export function isServerFault({ fault }: Plan): boolean {
  return serverFaults.some((how) => how === fault.how);
}

/** Kills of a write, and what else may go wrong at a place. */
function possibleAt(place: string): [kills: readonly How[], others: readonly How[]] {
  if (place.startsWith('event-of-')) return [[], kinds.events];
  if (/^(list|watch)-/.test(place)) return [[], openFaults];
  if (place.startsWith('event-')) return [kinds.kills, besideFaults];
  if (place.startsWith('lease-')) return [kinds.kills, leaseFaults];
  return [kinds.kills, kinds.answers];
}

function isObjectWrite(place: string): boolean {
  return /^(create|patch|delete|status)-/.test(place);
}

function isCounted(place: string): boolean {
  return !place.startsWith('lease-update.') || Number(place.slice('lease-update.'.length)) <= renewals;
}

/** As many of the plans, spread over workloads and faults; none that takes minutes. */
export function representative(plans: readonly Plan[], count: number, seed: number): Plan[] {
  const quick = plans.filter((plan) => plan.fault.how !== 'silence' && !isServerFault(plan));
  const groups = new Map<string, Plan[]>();
  for (const plan of inOrderOf(quick, (each) => `${seed} ${idOf(each)}`)) {
    const key = `${plan.workload} ${plan.fault.how}`;
    groups.set(key, [...(groups.get(key) ?? []), plan]);
  }
  // One of each pair of workload and fault, then a second one, and so on.
  const rounds = [...groups.values()].flatMap((group) => group.map((plan, round) => ({ plan, round })));
  const order = inOrderOf(rounds, ({ plan }) => `${seed} ${idOf(plan)}`).toSorted(
    (a, b) => a.round - b.round,
  );
  return order.slice(0, count).map(({ plan }) => plan);
}

/** In an order that looks random and is always the same. */
function inOrderOf<T>(list: readonly T[], key: (each: T) => string): T[] {
  const digest = (each: T) => createHash('sha256').update(key(each)).digest('hex');
  return list
    .map((each) => ({ each, digest: digest(each) }))
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
    .map(({ each }) => each);
}
