/** What became of the FineTuneJobs of a run, one entry each, as the API server tells it. */
import { isDeepStrictEqual } from 'node:util';
import type { V1Job } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels } from '../../operator/manifests/names.ts';
import type { Sighting } from './witness.ts';

type Entry = {
  /** When its creation was asked for. */
  askedAt: number;
  jobAt?: number;
  endedAt?: number;
  phase?: string;
  writes: number;
  progressWrites: number;
  last?: FineTuneJob['status'];
};

export class Runs {
  readonly #entries = new Map<string, Entry>();
  readonly #waiters: { holds: () => boolean; resolve: () => void }[] = [];
  #ended = 0;

  asked(name: string): void {
    this.#entries.set(name, { askedAt: performance.now(), writes: 0, progressWrites: 0 });
  }

  seeBatchJob({ type, object }: Sighting<V1Job>): void {
    const own = object.metadata?.labels ?? {};
    const entry = this.#entries.get(own[labels.job] ?? '');
    if (type !== 'ADDED' || entry === undefined || own[labels.stage] !== 'preflight') return;
    entry.jobAt ??= performance.now();
    this.#look();
  }

  see({ type, object: { metadata, status } }: Sighting<FineTuneJob>): void {
    const entry = this.#entries.get(metadata.name);
    if (type !== 'MODIFIED' || entry === undefined || status === undefined) return;
    entry.writes++;
    if (entry.last !== undefined && isProgressOnly(entry.last, status)) entry.progressWrites++;
    entry.last = status;
    if (status.phase !== undefined) entry.phase = status.phase;
    if (status.completionTime === undefined || entry.endedAt !== undefined) return;
    entry.endedAt = performance.now();
    delete entry.last;
    this.#ended++;
    this.#look();
  }

  get ended(): number {
    return this.#ended;
  }

  /** How many ended in each phase. */
  get phases(): Record<string, number> {
    const phases: Record<string, number> = {};
    for (const { phase = 'none' } of this.#entries.values()) phases[phase] = (phases[phase] ?? 0) + 1;
    return phases;
  }

  get progressWrites(): number {
    return this.#sum(({ progressWrites }) => progressWrites);
  }

  get statusWrites(): number {
    return this.#sum(({ writes }) => writes);
  }

  /** Seconds from the request for a FineTuneJob to its first Job; of those that have one. */
  get jobSeconds(): number[] {
    return [...this.#entries.values()].flatMap(({ askedAt, jobAt }) =>
      jobAt === undefined ? [] : [(jobAt - askedAt) / 1000],
    );
  }

  /** Seconds from the first request to the last end. */
  get wholeSeconds(): number {
    const all = [...this.#entries.values()];
    return (
      (Math.max(...all.map(({ endedAt = Number.NaN }) => endedAt)) -
        Math.min(...all.map(({ askedAt }) => askedAt))) /
      1000
    );
  }

  allEnded(limitMs: number): Promise<void> {
    return this.#until('all runs have ended', () => this.#ended === this.#entries.size, limitMs);
  }

  allHaveJobs(limitMs: number): Promise<void> {
    const all = () => [...this.#entries.values()].every(({ jobAt }) => jobAt !== undefined);
    return this.#until('all have a Job', all, limitMs);
  }

  #until(what: string, holds: () => boolean, limitMs: number): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const complain = () =>
        reject(
          new Error(
            `not within ${limitMs} ms: ${what}; ${this.#ended} ended, ${JSON.stringify(this.phases)}`,
          ),
        );
      const timer = setTimeout(complain, limitMs);
      this.#waiters.push({
        holds,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      });
    });
  }

  #look(): void {
    for (const waiter of [...this.#waiters]) {
      if (!waiter.holds()) continue;
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.resolve();
    }
  }

  #sum(of: (entry: Entry) => number): number {
    return [...this.#entries.values()].reduce((sum, entry) => sum + of(entry), 0);
  }
}

/** Whether a write only tells how far the trainer is. */
function isProgressOnly(before: NonNullable<FineTuneJob['status']>, after: typeof before): boolean {
  const transition = ({ phase, runId, conditions, attempt, failure, preflight }: typeof before) => ({
    phase,
    runId,
    conditions,
    failure,
    preflight,
    attempt: [attempt?.number, attempt?.podUID, attempt?.nodeName],
  });
  return after.progress !== undefined && isDeepStrictEqual(transition(before), transition(after));
}

/** The value that a part of all is not above, 0 to 1: the smallest one of which that holds. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
