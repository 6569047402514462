import type { Clock } from '../../operator/kube/clock.ts';

/** A clock that stands still until it is advanced. */
export class FakeClock implements Clock {
  #now = 0;
  #tasks: { at: number; task: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): () => void {
    // Node's timers fire at once then.
    if (ms > 2 ** 31 - 1) throw new Error(`a timer of ${ms} ms`);
    const entry = { at: this.#now + ms, task };
    this.#tasks.push(entry);
    return () => {
      this.#tasks = this.#tasks.filter((each) => each !== entry);
    };
  }

  /** The clock of a process that was paused so long: nothing ran meanwhile. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Runs everything that falls due, in order, with promises settled in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const next = this.#tasks.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#tasks = this.#tasks.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.task();
    }
    this.#now = end;
    await settled();
  }
}

/** All promises that can go on without I/O have gone on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
