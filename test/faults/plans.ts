/** Plans: which fault strikes where in which workload. Made from what the fault-free runs did, always the same way. */
import { createHash } from 'node:crypto';
import { eventFaults, type Fault, openFaults, serverFaults, writeFaults } from './faults.ts';
import { type WorkloadName, workloads } from './workloads.ts';

export type Plan = { workload: WorkloadName; fault: Fault };

type How = Fault['how'];

/** "success/kill-before/create-job-train.1": enough to run it again. */
export function idOf({ workload, fault: { how, at, nth } }: Plan): string {
  return `${workload}/${how}/${at}.${nth}`;
}

/** @throws Error on what is no id of a plan */
export function planOf(id: string): Plan {
  const [, workload = '', how = '', at = '', nth = ''] = /^([^/]+)\/([^/]+)\/(.+)\.(\d+)$/.exec(id) ?? [];
  const known: readonly string[] = [...writeFaults, ...eventFaults, ...openFaults, ...serverFaults];
  if (!(workload in workloads) || !known.includes(how)) throw new Error(`"${id}" is no plan`);
  return { workload: workload as WorkloadName, fault: { how: how as How, at, nth: Number(nth) } };
}

/** Writes after which nothing depends on how they went get the faults that could hold up the rest. */
const besideFaults: readonly How[] = ['kill-before', '429', '500', 'hang'];
const leaseFaults: readonly How[] = ['kill-before', 'kill-unanswered', '409', '500', 'reset', 'hang'];

const kinds = {
  kills: ['kill-before', 'kill-unanswered', 'kill-after'] as const,
  answers: writeFaults.filter((how) => !how.startsWith('kill') || how === 'kill-stale'),
  events: eventFaults.filter((how) => how !== 'silence'),
};

/** How many of the faults that are possible at one place are tried there; every kill of a write always is. */
const thorough = { answers: 8, events: 3, opens: 3 };
const brief = { answers: 1, events: 1, opens: 1 };

/** The lease is renewed for ever: so often counts. */
const renewals = 3;

/**
 * @param places what the fault-free runs have in common: "name.nth"
 * @param elsewhere places of another workload, which is tried in full: there one fault each is tried again
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
  const perPlace = elsewhere === 'nowhere' ? thorough : brief;
  const plans = places.filter(isCounted).flatMap((place) => {
    const hows = ((): readonly How[] => {
      if (place.startsWith('event-of-')) return choose(kinds.events, perPlace.events, place);
      if (/^(list|watch)-/.test(place)) return choose(openFaults, perPlace.opens, place);
      if (place.startsWith('event-')) return choose(besideFaults, perPlace.events, place);
      if (place.startsWith('lease-')) return leaseFaults;
      return [...kinds.kills, ...choose(kinds.answers, perPlace.answers, place)];
    })();
    const tried = elsewhere.includes(place) ? choose(hows, 1, `again ${place}`) : hows;
    return tried.map((how) => make(place, how));
  });
  const writes = places.filter((place) => /^(create|patch|delete|status)-/.test(place));
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
