/** Client-side rate limit: a bucket of `burst` requests that refills at `perSecond`. */
import type { Clock } from './clock.ts';
import { wait } from './clock.ts';

export class RateLimit {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  /** When the bucket would be full again if nothing else were taken. */
  #fullAt: number;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#intervalMs = 1000 / perSecond;
    this.#toleranceMs = this.#intervalMs * (burst - 1);
    this.#fullAt = clock.now();
  }

  /** Takes one if it is there now. */
  tryTake(): boolean {
    const now = this.#clock.now();
    if (Math.max(this.#fullAt, now) - now > this.#toleranceMs) return false;
    this.#fullAt = Math.max(this.#fullAt, now) + this.#intervalMs;
    return true;
  }

  /** Takes one, waiting for it in the order of the calls. */
  async take(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const start = Math.max(this.#fullAt, now);
    this.#fullAt = start + this.#intervalMs;
    const delay = start - now - this.#toleranceMs;
    if (delay > 0) await wait(this.#clock, delay, signal);
  }
}
