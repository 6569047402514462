/**
 * Work queue of keys. A key is in it at most once and with one worker at a time; a key that is added while it is worked
 * on comes again afterwards. Within a lane the namespaces have it by turns, and their keys as they came, so a key that fails
 * does not hold up the others. Nor do many that hang: no namespace holds more workers than it leaves free (ADR 8).
 */
import { type Backoff, backoffMs } from '../kube/backoff.ts';
import type { Clock } from '../kube/clock.ts';
import { Heap } from './heap.ts';
import { Turns } from './turns.ts';
import { UnderWay } from './under-way.ts';

export type QueueObserver = {
  added(): void;
  retried(): void;
  started(waitedMs: number): void;
  finished(workedMs: number): void;
};

/** In the order of their right of way: nothing was done for the key yet; ordinary; news of small worth. */
const lanes = ['new', 'ordinary', 'small'] as const;
export type Lane = (typeof lanes)[number];

/** After so many turns of other lanes a lane has the next one, so that no flood stops the rest. */
const patience = 7;

/** So many void entries are kept at least before they are cleared away. */
const fewVoid = 1000;

/** A timer of Node that is longer fires at once. */
const longestTimerMs = 2 ** 31 - 1;

const noObserver: QueueObserver = { added() {}, retried() {}, started() {}, finished() {} };

type Options = {
  clock: Clock;
  backoff: Backoff;
  /** How many ask for keys, where the namespaces have to share them. */
  workers?: number;
  random?: () => number;
  observer?: QueueObserver;
};

export class Queue {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #observer: QueueObserver;
  /** When each waiting key is due. */
  readonly #due = new Map<string, number>();
  /** The same in order; an entry whose time is not the one in #due is void. */
  #order = new Heap();
  /** Keys that are due, with the time since when, and the turns of others since the lane had its last one. */
  readonly #lanes = lanes.map((lane) => ({ lane, ready: new Turns(), passedOver: 0 }));
  readonly #underWay: UnderWay;
  readonly #failures = new Map<string, number>();
  /** Until when a server asked to be left alone with a key: no news makes it due before. */
  readonly #notBefore = new Map<string, number>();
  readonly #workers: ((key: string | undefined) => void)[] = [];
  #timer: { at: number; cancel: () => void } | undefined;
  #stopped = false;

  constructor(options: Options) {
    const { clock, backoff, workers = Number.POSITIVE_INFINITY } = options;
    const { random = Math.random, observer = noObserver } = options;
    this.#clock = clock;
    this.#backoff = backoff;
    this.#underWay = new UnderWay(workers);
    this.#random = random;
    this.#observer = observer;
  }

  /** Keys that are due and wait for a worker. */
  get depth(): number {
    return this.#lanes.reduce((sum, { ready }) => sum + ready.size, 0);
  }

  /** Whether keys wait for a worker that are worth more than news of small worth. */
  get isBusy(): boolean {
    return this.#lanes.some(({ lane, ready }) => lane !== 'small' && ready.size > 0);
  }

  /** Milliseconds for which each key has been worked on. */
  get working(): number[] {
    const now = this.#clock.now();
    return this.#underWay.since.map((since) => now - since);
  }

  /** The key is due in `delayMs`, or sooner if that was already so. */
  add(key: string, delayMs = 0): void {
    if (delayMs <= 0) {
      this.addTo('ordinary', key);
      return;
    }
    if (this.#stopped || this.#laneOf(key) !== undefined) return;
    this.#plan(key, this.#clock.now() + delayMs);
  }

  /**
   * The key is due now, in this lane or the better one that it is in. What failed the last time is never new. Where a
   * server asked for a wait, the key is due when that is over; the back-off of the queue itself is cut short by news.
   */
  addTo(wanted: Lane, key: string): void {
    if (this.#stopped) return;
    const lane = wanted === 'new' && this.#failures.has(key) ? 'ordinary' : wanted;
    const now = this.#clock.now();
    const known = this.#laneOf(key);
    if (known !== undefined) {
      if (lanes.indexOf(lane) >= lanes.indexOf(known.lane)) return;
      this.#lane(lane).add(key, known.ready.get(key) ?? now);
      known.ready.take(key);
      return;
    }
    const due = this.#due.get(key);
    if (due !== undefined && due <= now) return;
    if ((this.#notBefore.get(key) ?? now) > now) {
      this.#plan(key, now);
      return;
    }
    this.#observer.added();
    this.#due.set(key, now);
    this.#promote(key, lane);
  }

  /** All keys are due now, as far as servers allow: by the clock that their times come from it may be so. */
  wake(): void {
    for (const key of [...this.#due.keys()]) this.addTo('small', key);
  }

  /** The key failed: it is due after a wait that grows with its failures in a row, or the longer one of a server. */
  retry(key: string, atLeastMs = 0): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.#observer.retried();
    if (atLeastMs > 0) this.#hold(key, this.#clock.now() + atLeastMs);
    this.add(key, backoffMs(failures, this.#backoff, this.#random(), atLeastMs));
  }

  /** The key is well: its next failure is its first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, once there is one; undefined = the queue was stopped. Every key must be given back with `done`. */
  next(): Promise<string | undefined> {
    if (this.#stopped) return Promise.resolve(undefined);
    const key = this.#first();
    if (key !== undefined) return Promise.resolve(this.#start(key));
    return new Promise((resolve) => this.#workers.push(resolve));
  }

  done(key: string): void {
    const since = this.#underWay.end(key);
    if (since === undefined) return;
    this.#observer.finished(this.#clock.now() - since);
    const due = this.#due.get(key);
    if (due !== undefined && due <= this.#clock.now()) this.#promote(key);
    this.#employ();
  }

  /** No key comes out any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const worker of this.#workers.splice(0)) worker(undefined);
  }

  #lane(wanted: Lane): Turns {
    return this.#lanes[lanes.indexOf(wanted)]!.ready;
  }

  #laneOf(key: string) {
    return this.#lanes.find(({ ready }) => ready.get(key) !== undefined);
  }

  /** The key is due at that time, or as soon after it as a server allows, or sooner if that was already so. */
  #plan(key: string, wanted: number): void {
    const at = Math.max(wanted, this.#notBefore.get(key) ?? wanted);
    const due = this.#due.get(key);
    if (due !== undefined && due <= at) return;
    this.#observer.added();
    this.#due.set(key, at);
    this.#order.push({ at, key });
    if (this.#order.size > 2 * this.#due.size + fewVoid) this.#clearVoid();
    this.#arm();
  }

  /** A key with a far deadline that news make due now and then would leave an entry behind each time. */
  #clearVoid(): void {
    this.#order = new Heap();
    for (const [key, at] of this.#due) this.#order.push({ at, key });
  }

  /** The key is not due before that time, whatever came while it was worked on. */
  #hold(key: string, until: number): void {
    this.#notBefore.set(key, until);
    const due = this.#due.get(key);
    if (due === undefined || due >= until) return;
    this.#due.delete(key);
    this.#plan(key, until);
  }

  /** The key whose turn it is. */
  #first(): string | undefined {
    const may = (namespace: string) => this.#underWay.mayStart(namespace);
    const waiting = this.#lanes.flatMap(({ ready, passedOver }) => {
      const key = ready.first(may);
      return key === undefined ? [] : [{ key, passedOver }];
    });
    return (waiting.find(({ passedOver }) => passedOver >= patience) ?? waiting[0])?.key;
  }

  #start(key: string): string {
    const now = this.#clock.now();
    const mine = this.#laneOf(key);
    this.#observer.started(now - (mine?.ready.get(key) ?? now));
    mine?.ready.take(key);
    for (const lane of this.#lanes)
      lane.passedOver = lane === mine || lane.ready.size === 0 ? 0 : lane.passedOver + 1;
    this.#notBefore.delete(key);
    this.#underWay.start(key, now);
    return key;
  }

  /** A due key goes to a worker, or waits for one; one that is being worked on stays where it is until `done`. */
  #promote(key: string, lane: Lane = 'ordinary'): void {
    if (this.#underWay.has(key)) return;
    this.#due.delete(key);
    this.#lane(lane).add(key, this.#clock.now());
    this.#employ();
  }

  /** Gives those that have nothing to do what may be done. */
  #employ(): void {
    while (this.#workers.length > 0) {
      const key = this.#first();
      if (key === undefined) return;
      this.#workers.shift()!(this.#start(key));
    }
  }

  /** One timer, for the earliest key. */
  #arm(): void {
    const first = this.#order.first;
    if (first === undefined || this.#stopped) return;
    if (this.#timer !== undefined && this.#timer.at <= first.at) return;
    this.#timer?.cancel();
    const left = Math.min(longestTimerMs, Math.max(0, first.at - this.#clock.now()));
    const cancel = this.#clock.after(left, () => {
      this.#timer = undefined;
      this.#fire();
    });
    this.#timer = { at: first.at, cancel };
  }

  #fire(): void {
    const now = this.#clock.now();
    for (let first = this.#order.first; first !== undefined && first.at <= now; first = this.#order.first) {
      this.#order.shift();
      if (this.#due.get(first.key) === first.at) this.#promote(first.key);
    }
    this.#arm();
  }
}
