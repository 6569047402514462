/** An API server that has nothing but a Lease, and ways to it that are ill. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { type Clock, wait } from '../../../operator/kube/clock.ts';
import { ApiError } from '../../../operator/kube/errors.ts';
import type { Lease } from '../../../operator/kube/lease.ts';

/** What may happen to a request: nothing, no answer or an error before or after the write, an answer that comes late. */
export type Fate = 'well' | 'hang' | 'hang-committed' | 'refused' | 'lost-answer' | 'late';

/** One Lease, guarded by its version as the API server does it. */
export class LeaseServer {
  readonly #clock: Clock;
  readonly #requestMs: number;
  #lease: Lease | undefined;
  #version = 0;

  /** @param requestMs after so long without an answer a client gives up */
  constructor(clock: Clock, requestMs: number) {
    this.#clock = clock;
    this.#requestMs = requestMs;
  }

  get holder(): string | undefined {
    return this.#lease?.spec?.holderIdentity;
  }

  remove(): void {
    this.#lease = undefined;
  }

  /** The way of one replica to it. */
  client(fate: () => Fate) {
    const answer = async (signal: AbortSignal, write: () => Lease): Promise<never> => {
      const what = fate();
      if (what === 'refused') throw new ApiError('Unavailable', 'refused');
      if (what === 'hang') await wait(this.#clock, this.#requestMs, signal);
      if (what === 'hang') throw new ApiError('Unavailable', 'no answer');
      const lease = structuredClone(write());
      if (what === 'late') await wait(this.#clock, 4000, signal);
      if (what === 'hang-committed') await wait(this.#clock, this.#requestMs, signal);
      if (/lost|hang/.test(what) || signal.aborted) throw new ApiError('Unavailable', 'no answer');
      return lease as never;
    };
    return {
      get: (_resource: unknown, _ref: unknown, signal: AbortSignal) =>
        answer(signal, () => {
          if (this.#lease === undefined) throw new ApiError('NotFound', 'no lease');
          return this.#lease;
        }),
      create: (_resource: unknown, lease: KubernetesObject, signal: AbortSignal) =>
        answer(signal, () => {
          if (this.#lease !== undefined) throw new ApiError('AlreadyExists', 'there is one');
          return this.#store(lease);
        }),
      replace: (_resource: unknown, lease: KubernetesObject, signal: AbortSignal) =>
        answer(signal, () => {
          if (this.#lease === undefined) throw new ApiError('NotFound', 'no lease');
          if (lease.metadata?.resourceVersion !== this.#lease.metadata.resourceVersion)
            throw new ApiError('Conflict', 'changed meanwhile');
          return this.#store(lease);
        }),
    };
  }

  #store(lease: KubernetesObject): Lease {
    this.#lease = structuredClone(lease) as Lease;
    this.#lease.metadata.resourceVersion = `${++this.#version}`;
    return this.#lease;
  }
}
