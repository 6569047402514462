/** Plays the part of a queue (Kueue): train Jobs are born suspended, and so many of them are let run at a time. */
import { stageName } from '../../operator/manifests/names.ts';
import { collections, type DirectApi, pathOf } from '../../test/faults/direct-api.ts';

type Named = { name: string; namespace: string; uid: string };

export class JobQueue {
  readonly #api: DirectApi;
  readonly #slots: number;
  readonly #waiting: Named[] = [];
  readonly #known = new Set<string>();
  readonly #admitted = new Set<string>();
  /** The most that ran at a time. */
  peak = 0;

  constructor(api: DirectApi, slots: number) {
    this.#api = api;
    this.#slots = slots;
  }

  /** The train Job of this FineTuneJob waits. */
  add(job: Named): void {
    if (this.#known.has(job.uid)) return;
    this.#known.add(job.uid);
    this.#waiting.push(job);
    this.#admit();
  }

  /** The run of this FineTuneJob is over. */
  release(uid: string): void {
    if (this.#admitted.delete(uid)) this.#admit();
  }

  #admit(): void {
    while (this.#admitted.size < this.#slots) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#admitted.add(job.uid);
      this.peak = Math.max(this.peak, this.#admitted.size);
      const path = pathOf(collections.jobs, job.namespace, stageName(job, '1', 'train'));
      void this.#api.call('PATCH', path, { spec: { suspend: false } });
    }
  }
}
