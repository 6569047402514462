/** Whether the API server answers, whoever asks: who waits because it did not, need not wait beyond the first answer. */
import { type Clock, wait } from './clock.ts';

/** Nothing is tried again sooner, or requests that fail beside others that do not would come without a pause. */
const leastMs = 500;

export class Reach {
  #answers = 0;
  readonly #waiting = new Set<() => void>();

  /** How many there were. */
  get answers(): number {
    return this.#answers;
  }

  /** An answer came, good or not. */
  answered(): void {
    this.#answers++;
    for (const wake of this.#waiting) wake();
  }

  /**
   * Resolves after `ms`, or when `signal` fires. Where there was no answer to anybody since there were `known` of them, so
   * that nothing but the silence of the API server is waited for, its next answer ends the wait.
   */
  async wait(clock: Clock, ms: number, known: number, signal: AbortSignal): Promise<void> {
    if (this.#answers !== known) return wait(clock, ms, signal);
    await wait(clock, Math.min(ms, leastMs), signal);
    if (this.#answers !== known) return;
    const answer = new AbortController();
    const wake = () => answer.abort();
    this.#waiting.add(wake);
    await wait(clock, ms - Math.min(ms, leastMs), AbortSignal.any([signal, answer.signal]));
    this.#waiting.delete(wake);
  }
}
