/** What the API server did not take of that which is planned for one job, as far as it was not taken since. Safe to lose. */
import { idOf, patienceMs, type Tried, triedOf } from '../decide/checks/refused.ts';
import type { Action, Refusal } from '../decide/plan.ts';
import { present } from '../decide/present.ts';
import type { Clock } from '../kube/clock.ts';

/** What came for an answer, and how long it asked for no other try. */
export type Answer = { answer: string; retryAfterMs: number | undefined };

type Refused = Answer & { tried: Tried; firstAt: number; lastAt: number };

export class Refusals {
  readonly #clock: Clock;
  readonly #refused = new Map<string, Refused>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#refused.size;
  }

  /** @returns whether that has lasted for a while now, and had not before */
  refused(action: Action, answer: Answer): boolean {
    const tried = triedOf(action);
    const id = idOf(tried);
    const now = this.#clock.now();
    const { firstAt, lastAt } = this.#refused.get(id) ?? { firstAt: now, lastAt: now };
    this.#refused.set(id, { ...answer, tried, firstAt, lastAt: now });
    return now - firstAt >= patienceMs && lastAt - firstAt < patienceMs;
  }

  /** What is not wanted any more and is wanted again later may be allowed by then. */
  keepOnly(actions: readonly Action[]): void {
    const ids = new Set(actions.map((action) => idOf(triedOf(action))));
    for (const id of this.#refused.keys()) if (!ids.has(id)) this.#refused.delete(id);
  }

  clear(): void {
    this.#refused.clear();
  }

  get all(): Refusal[] {
    const now = this.#clock.now();
    return [...this.#refused.values()].map(({ tried, answer, retryAfterMs, firstAt, lastAt }) =>
      present({
        ...tried,
        answer,
        retryAfterMs,
        lastedMs: lastAt - firstAt,
        agoMs: now - lastAt,
      }),
    );
  }
}
