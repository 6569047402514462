/** Leader election by a Lease: at most one replica works at a time, as far as clocks allow. */
import type { Log } from '../log.ts';
import { type Client, find } from './client.ts';
import { type Clock, wait, within } from './clock.ts';
import { isKind } from './errors.ts';
import { held, type Lease, mayTake, released, runsOutInMs, type Sighting, sight } from './lease.ts';
import { apiVersionOf, leases } from './resources.ts';

/** duration > renewDeadline > retry. */
export type LeaseTimes = { durationMs: number; renewDeadlineMs: number; retryMs: number };

/** The proportions of client-go, whose times for a lease of 15 s are 10 s and 2 s. */
export function leaseTimes(seconds: number): LeaseTimes {
  return {
    durationMs: seconds * 1000,
    renewDeadlineMs: (seconds * 2000) / 3,
    retryMs: (seconds * 2000) / 15,
  };
}

type Options = {
  client: Pick<Client, 'get' | 'create' | 'replace'>;
  clock: Clock;
  log: Log;
  namespace: string;
  name: string;
  /** Unique for each process. */
  identity: string;
  times: LeaseTimes;
  onChange?: (leading: boolean) => void;
};

export class Leader {
  readonly #options: Options;
  readonly #times: LeaseTimes;
  #sighting: Sighting | undefined;
  #lease: Lease | undefined;
  /** Local time right before the last successful renewal was sent. */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #leading = false;

  constructor(options: Options) {
    this.#options = options;
    this.#times = options.times;
  }

  get isLeading(): boolean {
    return this.#leading;
  }

  /**
   * Whether this process may still write. It turns false before the lease runs out for the others, also in a process
   * that was paused and does not know yet that it lost.
   */
  mayWrite(): boolean {
    return this.#leading && this.#options.clock.now() - this.#renewedAt < this.#times.renewDeadlineMs;
  }

  /** Resolves once the lease is held; false = the signal fired first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    const { log, clock, identity } = this.#options;
    log.info('waiting for the lease', { identity });
    while (!signal.aborted) {
      try {
        if (await this.#try(signal)) {
          this.#set(true);
          log.info('took the lease', { identity });
          return true;
        }
      } catch (error) {
        if (!signal.aborted) log.warn('lease was not taken', { identity, error: String(error) });
      }
      await wait(clock, this.#untilNextTryMs(), signal);
    }
    return false;
  }

  /** Not all candidates at once, and no later than the lease of a holder that crashed runs out. */
  #untilNextTryMs(): number {
    const retryMs = this.#times.retryMs * (0.8 + Math.random() * 0.2);
    if (this.#lease === undefined || this.#sighting === undefined) return retryMs;
    const leftMs = runsOutInMs(this.#lease, this.#sighting, this.#options.clock.now());
    return leftMs > 0 ? Math.min(retryMs, leftMs) : retryMs;
  }

  /** Renews the lease until the signal fires or the lease is lost; false = lost. Nothing may be written after that. */
  async keep(signal: AbortSignal): Promise<boolean> {
    const { log, clock } = this.#options;
    while (!signal.aborted) {
      await wait(clock, this.#times.retryMs, signal);
      if (signal.aborted) break;
      const left = this.#times.renewDeadlineMs - (clock.now() - this.#renewedAt);
      try {
        if (left > 0 && (await within(clock, left, signal, (limit) => this.#try(limit)))) continue;
        if (left > 0) log.error('somebody else holds the lease');
      } catch (error) {
        if (signal.aborted) break;
        log.warn('lease was not renewed', { error: String(error) });
        if (this.mayWrite()) continue;
      }
      this.#set(false);
      return false;
    }
    return true;
  }

  /** Lets the next candidate take over at once. Call it when all work has ended. */
  async release(signal: AbortSignal): Promise<void> {
    const { client, log, identity } = this.#options;
    if (!this.#leading) return;
    this.#set(false);
    const isReleased = await this.#withNewest(this.#lease, signal, async (lease) => {
      if (lease?.spec?.holderIdentity !== identity) return false;
      await client.replace(leases, { ...lease, spec: released(lease.spec, new Date()) } as never, signal);
      return true;
    });
    if (isReleased) log.info('released the lease');
  }

  #set(leading: boolean): void {
    this.#leading = leading;
    this.#options.onChange?.(leading);
  }

  /** One try to take or renew; false = somebody else holds it. */
  #try(signal: AbortSignal): Promise<boolean> {
    const known = this.#leading ? this.#lease : undefined;
    return this.#withNewest(known, signal, (lease) => this.#hold(lease, signal));
  }

  async #hold(lease: Lease | undefined, signal: AbortSignal): Promise<boolean> {
    const { client, clock, namespace, name, identity } = this.#options;
    const startedAt = clock.now();
    if (lease === undefined) {
      const metadata = { namespace, name };
      const spec = held(undefined, identity, this.#times.durationMs, new Date());
      const fresh = { apiVersion: apiVersionOf(leases), kind: leases.kind, metadata, spec };
      this.#lease = (await client.create(leases, fresh as never, signal)) as Lease;
    } else {
      this.#sighting = sight(this.#sighting, lease, startedAt);
      if (!mayTake(lease, this.#sighting, identity, startedAt)) return false;
      const spec = held(lease.spec, identity, this.#times.durationMs, new Date());
      this.#lease = (await client.replace(leases, { ...lease, spec } as never, signal)) as Lease;
    }
    this.#renewedAt = startedAt;
    return true;
  }

  /**
   * Does something to the lease as it is known, and once more as it is read if that is out of date: a renewal that nobody
   * answered may have been stored all the same.
   */
  async #withNewest<T>(
    known: Lease | undefined,
    signal: AbortSignal,
    change: (lease: Lease | undefined) => Promise<T>,
  ): Promise<T> {
    if (known !== undefined) {
      try {
        return await change(known);
      } catch (error) {
        if (!isKind(error, 'Conflict', 'NotFound')) throw error;
      }
    }
    const { client, namespace, name } = this.#options;
    this.#lease = await find<Lease>(client, leases, { namespace, name }, signal);
    return change(this.#lease);
  }
}
