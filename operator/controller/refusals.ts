/** What the API server did not take of that which is planned for one job, as far as it was not taken since. Safe to lose. */
import { idOf, patienceMs, type Tried, triedOf } from '../decide/checks/refused.ts';
import type { Action, Refusal } from '../decide/plan.ts';
import { present } from '../decide/present.ts';
import type { Clock } from '../kube/clock.ts';

/** What came for an answer, and how long it asked for no other try. */
export type Answer = { answer: string; retryAfterMs: number | undefined };

type Refused = Answer & { tried: Tried; firstAt: number; lastAt: number; isFailure?: boolean };
type Failing = { firstAt: number; tries: number };

/** From then on an action that only fails is as good as refused: by itself it may never be taken. */
const passing = { ms: 60_000, tries: 3 };
const longestPassingMs = 3_600_000;

export class Refusals {
  readonly #clock: Clock;
  readonly #refused = new Map<string, Refused>();
  /** Actions that fail, not for long yet. */
  readonly #failing = new Map<string, Failing>();

  /** Grows while the API server fails with everything: each time that it was thought to fail with one action costs passes. */
  #passingMs = passing.ms;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#refused.size + this.#failing.size;
  }

  /** @returns whether that has lasted for a while now, and had not before */
  refused(action: Action, answer: Answer): boolean {
    const tried = triedOf(action);
    const id = idOf(tried);
    const now = this.#clock.now();
    const { firstAt, lastAt } = this.#refused.get(id) ?? { firstAt: now, lastAt: now };
    this.#failing.delete(id);
    this.#refused.set(id, { ...answer, tried, firstAt, lastAt: now });
    return now - firstAt >= patienceMs && lastAt - firstAt < patienceMs;
  }

  /**
   * Nobody said no, but no answer came, or that of a server that fails.
   * @returns `passing`: that may be over in a moment. `news`: it has lasted for a while now, and had not before
   */
  failed(action: Action, answer: Answer): 'passing' | 'news' | 'known' {
    const tried = triedOf(action);
    const id = idOf(tried);
    const now = this.#clock.now();
    const known = this.#refused.get(id);
    if (known?.isFailure) {
      this.#refused.set(id, { ...known, ...answer, lastAt: now });
      return 'known';
    }
    const { firstAt, tries } = this.#failing.get(id) ?? { firstAt: now, tries: 0 };
    this.#failing.set(id, { firstAt, tries: tries + 1 });
    if (now - firstAt < this.#passingMs || tries + 1 < passing.tries) return 'passing';
    this.#failing.delete(id);
    // As if since a moment: the API server may have come back with just this try, and then the next one is soon.
    this.#refused.set(id, { ...answer, tried, firstAt: now - patienceMs, lastAt: now, isFailure: true });
    return 'news';
  }

  /** The API server fails with everything, so nothing is known of single actions. */
  forgetFailures(): void {
    this.#failing.clear();
    for (const [id, { isFailure }] of this.#refused) {
      if (!isFailure) continue;
      this.#refused.delete(id);
      this.#passingMs = Math.min(2 * this.#passingMs, longestPassingMs);
    }
  }

  /** What is not wanted any more and is wanted again later may be allowed by then. */
  keepOnly(actions: readonly Action[]): void {
    const ids = new Set(actions.map((action) => idOf(triedOf(action))));
    for (const known of [this.#refused, this.#failing]) {
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    }
  }

  clear(): void {
    this.#passingMs = passing.ms;
    this.#refused.clear();
    this.#failing.clear();
  }

  get all(): Refusal[] {
    const now = this.#clock.now();
    return [...this.#refused.values()].map(({ tried, answer, retryAfterMs, isFailure, firstAt, lastAt }) =>
      present({
        ...tried,
        answer,
        retryAfterMs,
        isFailure,
        lastedMs: lastAt - firstAt,
        agoMs: now - lastAt,
      }),
    );
  }
}
