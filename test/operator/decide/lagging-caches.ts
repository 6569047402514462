/** Caches that show each kind of object as it was some time ago, each by itself, and never older than it was shown before. */
import type { Observed } from '../../../operator/decide/plan.ts';

const kinds = ['job', 'runtime', 'batchJobs', 'pods'] as const;
type Kind = (typeof kinds)[number];

/** So many changes a watch may be behind at most: some minutes. */
const depth = 100;

export class LaggingCaches {
  readonly #dice: () => number;
  readonly #worlds: Observed[] = [];
  readonly #shown: Record<Kind, number> = { job: 0, runtime: 0, batchJobs: 0, pods: 0 };
  readonly #silent: Record<Kind, boolean> = { job: false, runtime: false, batchJobs: false, pods: false };

  constructor(dice: () => number) {
    this.#dice = dice;
  }

  /** The world has become this one. */
  note(world: Observed): void {
    this.#worlds.push(world);
  }

  /** What the operator has written itself it looks for until it is there; a new process lists everything. */
  catchUp(...of: readonly Kind[]): void {
    for (const kind of of.length === 0 ? kinds : of) this.#shown[kind] = this.#worlds.length - 1;
  }

  show(): Observed {
    return {
      ...this.#worlds.at(-1)!,
      job: this.#next('job').job,
      runtime: this.#next('runtime').runtime,
      batchJobs: this.#next('batchJobs').batchJobs,
      pods: this.#next('pods').pods,
    };
  }

  /** A watch falls silent for some time, and then brings all that it has missed. */
  #next(kind: Kind): Observed {
    const newest = this.#worlds.length - 1;
    if (this.#dice() < (this.#silent[kind] ? 0.08 : 0.2)) this.#silent[kind] = !this.#silent[kind];
    this.#shown[kind] = this.#silent[kind] ? Math.max(this.#shown[kind], newest - depth) : newest;
    return this.#worlds[this.#shown[kind]]!;
  }
}
