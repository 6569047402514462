/** Plans: which fault strikes where in which workload. Made from what the fault-free runs did, always the same way. */
import { createHash } from 'node:crypto';
import { eventFaults, type Fault, openFaults, readFaults, serverFaults, writeFaults } from './faults.ts';
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
  const known: readonly string[] = ['none', ...writeFaults, ...eventFaults, ...openFaults, ...serverFaults];
  if (!(workload in workloads) || !known.includes(how)) throw new Error(`"${id}" is no plan`);
  return { workload: workload as WorkloadName, fault: { how: how as How, at, nth: Number(nth) } };
}

/** Of an Event, on which nothing depends: what could hold up the rest. */
const besideFaults: readonly How[] = ['429', '500', 'hang'];
const leaseFaults: readonly How[] = ['409', '500', 'reset', 'reset-committed', 'hang', 'hang-committed'];

const kinds = {
  kills: ['kill-before', 'kill-unanswered', 'kill-after'] as const,
  answers: writeFaults.filter((how) => !how.startsWith('kill') || how === 'kill-stale'),
  events: eventFaults.filter((how) => how !== 'silence'),
};

/**
 * What lags is tried in each workload, and so many of the other faults: but at each change of a child and at each read, of
 * which a workload has few and no other one the same, all.
 */
const lags: readonly How[] = ['delay', 'window', 'kill-stale'];
const brief = 2;

/** The lease is renewed for ever: so often counts. */
const renewals = 3;

/**
 * Every kill at every write; and of the other faults all in a workload that is tried in full, and a few in the others, where
 * they differ from it.
 * @param places what the fault-free runs have in common: "name.nth"
 * @param elsewhere places of a workload that is tried in full; 'nowhere' = this is that workload
 * @param seed chooses which of the other faults strike where
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
  const counted = places.filter(isCounted);
  const killed = counted.flatMap((place) => possibleAt(place)[0].map((how) => make(place, how)));
  const own = counted.filter((place) => elsewhere === 'nowhere' || !elsewhere.includes(place));
  const others = own.flatMap((place) => possibleAt(place)[1].map((how) => make(place, how)));
  return [
    ...killed,
    ...(elsewhere === 'nowhere' ? others : few(others, choose)),
    ...rare(places, make, choose),
  ];
}

type Choose = <T>(list: readonly T[], count: number, salt: string) => T[];

/**
 * One of each fault that lags, and of some others; one of each at the lease, which no workload tried in full has; and all at
 * what only this workload does.
 */
function few(plans: readonly Plan[], choose: Choose): Plan[] {
  const ofLease = plans.filter(isOfLease);
  // The runtime is read in the same breath as the job.
  const own = plans.filter(({ fault }) => /^((patch|delete|read)-job|read-finetunejobs)/.test(fault.at));
  const rest = plans.filter((plan) => !isOfLease(plan) && !own.includes(plan));
  const hows = howsOf(rest);
  const more = choose(
    hows.filter((how) => !lags.includes(how)),
    brief,
    'others',
  );
  const chosen = hows.filter((how) => lags.includes(how) || more.includes(how));
  const oneOf = (list: readonly Plan[], how: How) =>
    choose(list.filter(({ fault }) => fault.how === how).map(idOf), 1, how).map(planOf);
  return [
    ...own,
    ...howsOf(ofLease).flatMap((how) => oneOf(ofLease, how)),
    ...chosen.flatMap((how) => oneOf(rest, how)),
  ];
}

function howsOf(plans: readonly Plan[]): How[] {
  return [...new Set(plans.map(({ fault }) => fault.how))];
}

function isOfLease({ fault }: Plan): boolean {
  return /^(lease|read-leases)/.test(fault.at);
}

/** What takes long: a restart of the API server in each workload, and silence in every third, or so. */
function rare(places: readonly string[], make: (place: string, how: How) => Plan, choose: Choose): Plan[] {
  const hows = choose<How>(serverFaults, 1, 'which restart');
  const [silence] = choose([true, false, false], 1, 'silence');
  const events = places.filter((place) => place.startsWith('event-of-'));
  return [
    ...choose(places.filter(isObjectWrite), 1, 'server').flatMap((place) =>
      hows.map((how) => make(place, how)),
    ),
    ...choose(silence ? events : [], 1, 'silent').map((place) => make(place, 'silence')),
  ];
}

export function isServerFault({ fault }: Plan): boolean {
  return serverFaults.some((how) => how === fault.how);
}

/** Kills of a write, and what else may go wrong at a place. */
function possibleAt(place: string): [kills: readonly How[], others: readonly How[]] {
  if (place.startsWith('event-of-')) return [[], kinds.events];
  if (/^(list|watch)-/.test(place)) return [[], openFaults];
  if (place.startsWith('read-')) return [[], readFaults];
  if (place.startsWith('event-')) return [kinds.kills, besideFaults];
  if (place.startsWith('lease-')) return [kinds.kills, leaseFaults];
  return [kinds.kills, kinds.answers];
}

function isObjectWrite(place: string): boolean {
  return /^(create|patch|delete|status)-/.test(place);
}

function isCounted(place: string): boolean {
  const [, nth] = /^(?:lease-update|read-leases)\.(\d+)$/.exec(place) ?? [];
  return nth === undefined || Number(nth) <= renewals;
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
