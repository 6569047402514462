/** Keeps a store equal to a collection of the API server, for ever: no error ends it, only its signal. */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { Log } from '../log.ts';
import { backoffMs } from './backoff.ts';
import type { Client } from './client.ts';
import type { Clock } from './clock.ts';
import { asApiError } from './errors.ts';
import type { Resource } from './resources.ts';
import type { Change, Listed, Store } from './store.ts';
import { type Effect, type Input, next, type State, start } from './watch-state.ts';

export type WatchTimes = {
  /** A watch lasts from this long to twice as long, so that many do not end together. */
  timeoutSeconds: number;
  /** Bookmarks come once a minute; silence for longer than this means a dead connection. */
  idleMs: number;
  /** A watch that ends sooner than this and brought nothing counts as a failure. */
  earlyMs: number;
  retry: { baseMs: number; capMs: number };
};

export const watchTimes: WatchTimes = {
  timeoutSeconds: 240,
  idleMs: 150_000,
  earlyMs: 1000,
  retry: { baseMs: 500, capMs: 30_000 },
};

/** Objects in a page, where a list does not come through in one piece. */
const pageObjects = 500;

/** What happened, for metrics. */
export type WatchObserver = {
  listed(): void;
  failed(): void;
  event(): void;
  handlerFailed(): void;
};

type Options<T extends KubernetesObject, I extends string> = {
  client: Client;
  clock: Clock;
  log: Log;
  observer: WatchObserver;
  store: Store<T, I>;
  resource: Resource;
  namespace?: string | undefined;
  /** Label selector. */
  selector?: string;
  pageSize?: number;
  times?: WatchTimes;
  /** Drops what nobody reads, before the object is kept. */
  trim?: (object: T) => T;
  onChange: (change: Change<T, I>) => void;
};

export class Watch<T extends KubernetesObject, I extends string = never> {
  readonly #options: Options<T, I>;
  readonly #times: WatchTimes;
  #state: State<Listed<T, I>> = start<Listed<T, I>>();
  #synced = false;

  constructor(options: Options<T, I>) {
    this.#options = options;
    this.#times = options.times ?? watchTimes;
  }

  /** Whether a complete list was taken over once. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  /** Runs until `signal` fires; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, client } = this.#options;
    while (!signal.aborted) {
      const { answers } = client.reach;
      let pause: number;
      try {
        pause = await this.#turn(signal);
      } catch (cause) {
        if (signal.aborted) return;
        pause = this.#take({
          got: 'error',
          error: asApiError(`watch ${this.#options.resource.plural}`, cause),
        });
      }
      if (pause > 0) await client.reach.wait(clock, pause, answers, signal);
    }
  }

  /** One page, or one watch from beginning to end; returns the milliseconds to wait after it. */
  async #turn(signal: AbortSignal): Promise<number> {
    const { client, resource, namespace, selector, pageSize = pageObjects, clock } = this.#options;
    const { store, trim = (object: T) => object } = this.#options;
    const state = this.#state;
    if (state.at !== 'watching') {
      const limit = state.at === 'empty' && state.inOnePiece ? {} : { limit: pageSize };
      const token = state.at === 'paging' ? { token: state.token } : {};
      const where = { namespace, selector, ...limit, ...token };
      // One by one, as they come: all of a large list would be most of the memory.
      const keep = (object: T) => store.listed(trim(object));
      return this.#take({ got: 'page', ...(await client.listPage(resource, where, keep, signal)) });
    }
    const opened = clock.now();
    let quiet = true;
    const timeoutSeconds = Math.ceil(this.#times.timeoutSeconds * (1 + Math.random()));
    const where = { namespace, selector, resourceVersion: state.resourceVersion };
    for await (const line of client.watch(
      resource,
      where,
      { timeoutSeconds, idleMs: this.#times.idleMs },
      signal,
    )) {
      quiet = false;
      const pause = this.#take({ got: 'line', ...line });
      if (line.type === 'ERROR' || pause > 0) return pause;
    }
    return this.#take({ got: 'end', early: quiet && clock.now() - opened < this.#times.earlyMs });
  }

  #take(input: Input<Listed<T, I>>): number {
    const { failures, newest } = this.#state;
    const step = next<T, Listed<T, I>>(this.#state, input);
    // What could not be taken over is found by a new list, not passed over.
    this.#state = { ...start<Listed<T, I>>(), failures, newest };
    const pause = this.#perform(step.effect, step.state.failures);
    this.#state = step.state;
    return pause;
  }

  /** Returns the milliseconds to wait. @throws what an index or a trim threw at an object that it cannot read */
  #perform(effect: Effect<T, Listed<T, I>>, failures: number): number {
    const { store, observer, log, resource, trim = (object: T) => object } = this.#options;
    if (effect.do === 'retry') {
      const pause = backoffMs(failures, this.#times.retry, Math.random(), effect.error.retryAfterMs);
      observer.failed();
      log.warn('watch failed, will retry', {
        resource: resource.plural,
        error: effect.error.message,
        failures,
        pauseMs: Math.round(pause),
      });
      return pause;
    }
    if (effect.do === 'replace') {
      this.#hand(store.replace(effect.objects));
      this.#synced = true;
      observer.listed();
      log.info('listed', { resource: resource.plural, objects: effect.objects.length });
      return 0;
    }
    observer.event();
    if (effect.do === 'put') this.#hand(store.put(trim(effect.object)));
    if (effect.do === 'remove') this.#hand(store.remove(effect.object));
    return 0;
  }

  #hand(changes: Iterable<Change<T, I>>): void {
    for (const change of changes) {
      try {
        this.#options.onChange(change);
      } catch (error) {
        this.#options.observer.handlerFailed();
        this.#options.log.error('handler of a change failed', {
          resource: this.#options.resource.plural,
          error: error instanceof Error ? error.stack : String(error),
        });
      }
    }
  }
}
