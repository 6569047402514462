/** What became of the jobs of a run, one entry each, as the API server tells it. */
import { setTimeout as sleep } from 'node:timers/promises';
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

/** Time between two reports. */
const reportMs = 15_000;
/** A run that goes on shows a change more often. */
const quietMs = 180_000;

export class Runs {
  readonly #entries = new Map<string, Entry>();
  #ended = 0;
  /** When something was seen last of one of them, or of any Job: the Job controller may be minutes behind with ten thousand. */
  #seenAt = performance.now();

  asked(name: string): void {
    this.#entries.set(name, { askedAt: performance.now(), writes: 0, progressWrites: 0 });
  }

  seeBatchJob({ type, object }: Sighting<V1Job>): void {
    this.#seenAt = performance.now();
    const own = object.metadata?.labels ?? {};
    if (type === 'ADDED' && own[labels.stage] === 'preflight') this.jobMade(own[labels.job] ?? '');
  }

  /** A Job is there for it. */
  jobMade(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#seenAt = performance.now();
    entry.jobAt ??= this.#seenAt;
  }

  see({ type, object: { metadata, status } }: Sighting<FineTuneJob>): void {
    const entry = this.#entries.get(metadata.name);
    if (type !== 'MODIFIED' || entry === undefined || status === undefined) return;
    this.#seenAt = performance.now();
    entry.writes++;
    if (entry.last !== undefined && isProgressOnly(entry.last, status)) entry.progressWrites++;
    entry.last = status;
    if (status.phase !== undefined) entry.phase = status.phase;
    if (status.completionTime !== undefined) this.ended(metadata.name);
  }

  /** It is over. @param phase how, where nothing told it before */
  ended(name: string, phase?: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.endedAt !== undefined) return;
    this.#seenAt = entry.endedAt = performance.now();
    if (phase !== undefined) entry.phase = phase;
    delete entry.last;
    this.#ended++;
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

  /** Seconds from the request for a job to its first Job; of those that have one. */
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

  /**
   * Says now and then how far they are.
   * @throws Error when nothing happens any more before all have ended: how many did, and the phases of all
   */
  async allEnded(log: (line: string) => void): Promise<void> {
    let next = performance.now() + reportMs;
    this.#seenAt = performance.now();
    while (this.#ended < this.#entries.size) {
      const now = performance.now();
      if (now - this.#seenAt > quietMs)
        throw new Error(`nothing has happened for ${quietMs / 1000} s: ${this.#state}`);
      if (now > next) {
        log(this.#state);
        next = now + reportMs;
      }
      await sleep(200);
    }
  }

  get #state(): string {
    return `${this.#ended} of ${this.#entries.size} runs have ended, ${JSON.stringify(this.phases)}`;
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
