/** What bench/results/operator.json has: a figure of the operator a line, beside that of its peer where one was measured. */
import { median, quantile } from '../averages.ts';
import type { Seconds } from './processor-time.ts';
import type { Runs } from './runs.ts';

export type Line = {
  case: string;
  value: number;
  unit: string;
  /** The value is to be at most this; null = it has no bar. */
  bar: number | null;
  peer: number | null;
  peerName: string | null;
};

export function line(name: string, value: number, unit: string, bar: number | null = null): Line {
  return { case: name, value: Number(value.toPrecision(4)), unit, bar, peer: null, peerName: null };
}

export function namesOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${String(i + 1).padStart(5, '0')}`);
}

export function latency(name: string, runs: Runs, bar: number | null = null): Line[] {
  const seconds = runs.jobSeconds;
  return [
    line(`${name}: FineTuneJob to Job, p50`, median(seconds), 's'),
    line(`${name}: FineTuneJob to Job, p99`, quantile(seconds, 0.99), 's', bar),
  ];
}

/** Processor time of the API server, which does most for a job, and of all programs, ours for the measurement among them. */
export function siteLines(name: string, seconds: Seconds): Line[] {
  const ofServer = seconds.get('kube-apiserver');
  if (ofServer === undefined) throw new Error('the processor time of the API server was not measured');
  const all = [...seconds.values()].reduce((sum, each) => sum + each, 0);
  return [line(`${name}: API server CPU`, ofServer, 's'), line(`${name}: CPU of all programs`, all, 's')];
}

const isOfJobs = (what: string) => !what.endsWith(' leases');

/** Requests, without those that keep a lease. */
export function requestCount(requests: ReadonlyMap<string, number>): number {
  return [...requests].reduce((sum, [what, count]) => sum + (isOfJobs(what) ? count : 0), 0);
}

/** By verb and resource. */
export function requestLines(name: string, requests: ReadonlyMap<string, number>, jobs: number): Line[] {
  return [...requests]
    .filter(([what]) => isOfJobs(what))
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([what, count]) => line(`${name}: ${what}${perJob}`, count / jobs, 'requests'));
}

/** End of the names of `requestLines`. */
const perJob = ' a job';

/** Requests a job below which a kind of request is one of the start: it counts in the sum, and has no line of the peer's own. */
const rare = 0.01;

/**
 * The operator's lines with the peer's figures in them, each by the name of its case. Of a request that only one of the two
 * makes the other makes none.
 * @param theirs lines as if the peer were the operator, with its name
 */
export function beside(ours: readonly Line[], theirs: readonly Line[]): Line[] {
  const left = new Map(theirs.map((each) => [each.case, each]));
  const anyName = theirs[0]?.peerName ?? null;
  const joined = ours.map((own): Line => {
    const found = left.get(own.case);
    left.delete(own.case);
    if (found !== undefined) return { ...own, peer: found.value, peerName: found.peerName };
    return own.case.endsWith(perJob) ? { ...own, peer: 0, peerName: anyName } : own;
  });
  const theirsAlone = [...left.values()].filter(({ value }) => value >= rare);
  return [...joined, ...theirsAlone.map((their) => ({ ...their, value: 0, peer: their.value }))];
}
