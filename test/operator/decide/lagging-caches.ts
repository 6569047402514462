/** Caches that show each kind of object as it was some time ago, each by itself, and never older than it was shown before. */
import type { Observed } from '../../../operator/decide/plan.ts';

const kinds = ['job', 'runtime', 'batchJobs', 'pods'] as const;
type Kind = (typeof kinds)[number];

/** So many changes a watch may be behind. */
const depth = 100;

export class LaggingCaches {
  readonly #dice: () => number;
  readonly #worlds: Observed[] = [];
  readonly #shown: Record<Kind, number> = { job: 0, runtime: 0, batchJobs: 0, pods: 0 };

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
    const newest = this.#worlds.length - 1;
    const at = (kind: Kind): Observed => {
      const oldest = Math.max(this.#shown[kind], newest - depth);
      const luck = this.#dice();
      // Nothing has come since, some of it, or all.
      const part = luck < 0.3 ? 0 : luck < 0.5 ? this.#dice() : 1;
      this.#shown[kind] = oldest + Math.round(part * (newest - oldest));
      return this.#worlds[this.#shown[kind]]!;
    };
    return {
      ...this.#worlds[newest]!,
      job: at('job').job,
      runtime: at('runtime').runtime,
      batchJobs: at('batchJobs').batchJobs,
      pods: at('pods').pods,
    };
  }
}
