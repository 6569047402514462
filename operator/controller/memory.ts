/**
 * What the controller remembers about a job between passes, all of it safe to lose: its own writes that the caches may
 * not show yet, objects of others that stand where a child should be, and what the API server refused.
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { Action, Refusal } from '../decide/plan.ts';
import { type Client, find, type Ref } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { isAtLeast } from '../kube/resource-version.ts';
import type { Resource } from '../kube/resources.ts';
import { keyOf } from '../kube/store.ts';
import { type Answer, Refusals } from './refusals.ts';
import { fineTuneJobs } from './resources.ts';

/** A write, or one that was not taken. */
type Write = { resource: Resource; ref: Ref; uid: string; left: Left; at: number };

/** What it left behind: this version of the object, no such object, or what the API server has yet to say. */
type Left = { resourceVersion: string | undefined } | 'nothing' | 'unknown';

/** A watch brings what was written within milliseconds, and wakes the next pass: sooner than this nothing is read anew. */
export const watchMs = 500;
type JobMemory = {
  writes: Map<string, Write>;
  foreign: Map<string, { resource: Resource; ref: Ref }>;
  refusals: Refusals;
  statusWrittenAt: number | undefined;
  /** When a step was first seen that no write has told yet. */
  stepSeenAt: number | undefined;
};

type Options = {
  client: Client;
  clock: Clock;
  /** Shortest time from a write of a status to the next one that changes a detail, as it is now. */
  detailMs: () => number;
  /** The longest that a step waits for what comes next, as it is now. */
  stepMs: () => number;
};

export class Memory {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #detailMs: () => number;
  readonly #stepMs: () => number;
  readonly #jobs = new Map<string, JobMemory>();

  constructor({ client, clock, detailMs, stepMs }: Options) {
    this.#client = client;
    this.#clock = clock;
    this.#detailMs = detailMs;
    this.#stepMs = stepMs;
  }

  /** Something about the job `jobUid` was written, with this answer. */
  wrote(jobUid: string, resource: Resource, answer: KubernetesObject): void {
    const { namespace, name = '', uid = '', resourceVersion } = answer.metadata ?? {};
    this.#write(jobUid, { resource, ref: { namespace, name }, uid, left: { resourceVersion } });
    if (resource !== fineTuneJobs) return;
    const memory = this.#of(jobUid);
    memory.statusWrittenAt = this.#clock.now();
    memory.stepSeenAt = undefined;
  }

  /** Milliseconds for which a detail of the status has to wait; a job that nothing is known of was just written. */
  untilDetailMs(jobUid: string): number {
    const memory = this.#of(jobUid);
    const now = this.#clock.now();
    memory.statusWrittenAt ??= now;
    return Math.max(0, memory.statusWrittenAt + this.#detailMs() - now);
  }

  /** Milliseconds for which a step that the status does not tell yet may wait, since it was first asked. */
  untilStepMs(jobUid: string): number {
    const memory = this.#of(jobUid);
    const now = this.#clock.now();
    memory.stepSeenAt ??= now;
    return Math.max(0, memory.stepSeenAt + this.#stepMs() - now);
  }

  deleted(jobUid: string, resource: Resource, ref: Ref, uid: string): void {
    this.#write(jobUid, { resource, ref, uid, left: 'nothing' });
  }

  /**
   * An object is not as it was known, or not there any more. A cache that does not show it may never have done so: it is
   * read until the cache shows the same.
   */
  changed(jobUid: string, resource: Resource, ref: Ref, uid: string): void {
    this.#write(jobUid, { resource, ref, uid, left: 'unknown' });
  }

  /** An object that belongs to somebody else has the name of a child. */
  metForeign(jobUid: string, resource: Resource, ref: Ref): void {
    this.#of(jobUid).foreign.set(`${resource.kind} ${ref.name}`, { resource, ref });
  }

  /**
   * The API server did not take an action.
   * @returns whether that is news: it has lasted for a while now, and had not before
   */
  refused(jobUid: string, action: Action, answer: Answer): boolean {
    return this.#of(jobUid).refusals.refused(action, answer);
  }

  /** An action came to no answer, or to that of a server that fails; what is returned: Refusals.failed. */
  failed(jobUid: string, action: Action, answer: Answer): ReturnType<Refusals['failed']> {
    return this.#of(jobUid).refusals.failed(action, answer);
  }

  /** The status cannot be written either. */
  forgetFailures(jobUid: string): void {
    this.#jobs.get(jobUid)?.refusals.forgetFailures();
  }

  /** All that is wanted for the job now. */
  planned(jobUid: string, actions: readonly Action[]): void {
    this.#jobs.get(jobUid)?.refusals.keepOnly(actions);
  }

  /** What was not taken of what is wanted, as far as nothing was taken since. */
  refusals(jobUid: string): Refusal[] {
    return this.#jobs.get(jobUid)?.refusals.all ?? [];
  }

  forget(jobUid: string): void {
    this.#jobs.delete(jobUid);
  }

  /** A run that is over costs no memory here once the caches show all that was written about it. */
  rest(jobUid: string): void {
    const memory = this.#jobs.get(jobUid);
    if (memory === undefined) return;
    const { writes, foreign, refusals } = memory;
    if (writes.size + foreign.size + refusals.size === 0) this.forget(jobUid);
  }

  /** Jobs of which something is remembered. */
  get size(): number {
    return this.#jobs.size;
  }

  /** Milliseconds after which the caches should show what was written about the job; 0 = they do, or should have by now. */
  behindMs(
    jobUid: string,
    cached: (resource: Resource, key: string) => KubernetesObject | undefined,
  ): number {
    const now = this.#clock.now();
    const writes = [...(this.#jobs.get(jobUid)?.writes.values() ?? [])];
    const waits = writes
      .filter(
        (write) =>
          write.at + watchMs > now && !hasArrived(write, cached(write.resource, keyOfRef(write.ref))),
      )
      .map(({ at }) => at + watchMs - now);
    return Math.max(0, ...waits);
  }

  /**
   * Objects of one kind that the cache is behind on because of our own writes, read anew; undefined = it is gone.
   * @param cached looks the key "namespace/name" up in the cache
   */
  async fresh<T extends KubernetesObject>(
    jobUid: string,
    resource: Resource,
    cached: (key: string) => T | undefined,
    signal: AbortSignal,
  ): Promise<Map<string, T | undefined>> {
    const found = new Map<string, T | undefined>();
    const writes = this.#jobs.get(jobUid)?.writes ?? new Map<string, Write>();
    for (const [id, write] of writes) {
      if (write.resource !== resource) continue;
      const key = keyOfRef(write.ref);
      const known = cached(key);
      if (hasArrived(write, known)) {
        writes.delete(id);
        continue;
      }
      const live = await find<T>(this.#client, resource, write.ref, signal);
      if (isSame(live, known)) writes.delete(id);
      found.set(key, live);
    }
    return found;
  }

  /** "Kind name" of the foreign objects that are still there. */
  async foreign(jobUid: string, signal: AbortSignal): Promise<string[]> {
    const foreign = this.#jobs.get(jobUid)?.foreign;
    if (foreign === undefined) return [];
    for (const [id, { resource, ref }] of foreign) {
      if ((await find(this.#client, resource, ref, signal)) === undefined) foreign.delete(id);
    }
    return [...foreign.keys()];
  }

  #of(jobUid: string): JobMemory {
    const known = this.#jobs.get(jobUid);
    if (known !== undefined) return known;
    const fresh: JobMemory = {
      writes: new Map(),
      foreign: new Map(),
      refusals: new Refusals(this.#clock),
      statusWrittenAt: undefined,
      stepSeenAt: undefined,
    };
    this.#jobs.set(jobUid, fresh);
    return fresh;
  }

  #write(jobUid: string, write: Omit<Write, 'at'>): void {
    const id = `${write.resource.kind} ${keyOfRef(write.ref)}`;
    const memory = this.#of(jobUid);
    memory.writes.set(id, { ...write, at: this.#clock.now() });
    if (write.resource !== fineTuneJobs) memory.refusals.clear();
  }
}

function keyOfRef({ name, namespace = '' }: Ref): string {
  return keyOf({ metadata: { name, namespace } });
}

function hasArrived({ uid, left }: Write, known: KubernetesObject | undefined): boolean {
  if (left === 'unknown') return false;
  if (left === 'nothing') return known?.metadata?.uid !== uid;
  return known?.metadata?.uid === uid && isAtLeast(known.metadata.resourceVersion, left.resourceVersion);
}

function isSame(one: KubernetesObject | undefined, other: KubernetesObject | undefined): boolean {
  return (
    one?.metadata?.uid === other?.metadata?.uid &&
    one?.metadata?.resourceVersion === other?.metadata?.resourceVersion
  );
}
