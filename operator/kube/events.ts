/** Events about objects, for `kubectl describe`: repeats are counted up, floods are cut, a failure is never an error. */
import { createHash } from 'node:crypto';
import type { CoreV1Event, KubernetesObject, V1ObjectReference } from '@kubernetes/client-node';
import type { Log } from '../log.ts';
import { backoffMs } from './backoff.ts';
import type { Client } from './client.ts';
import { type Clock, wait } from './clock.ts';
import { ApiError, isKind } from './errors.ts';
import { RateLimit } from './rate-limit.ts';
import { coreEvents } from './resources.ts';

export type EventText = { type: 'Normal' | 'Warning'; reason: string; message: string };

type Options = {
  client: Client;
  clock: Clock;
  log: Log;
  /** Name of the reporting controller. */
  component: string;
  instance: string;
  onDrop?: (count: number) => void;
};

type Known = { name: string; namespace: string; count: number; at: number };
type Waiting = { about: V1ObjectReference; text: EventText; times: number; date: Date };

const maxMessage = 1024;
const maxWaiting = 1000;
const maxKnown = 4096;
const maxTries = 4;
/** Requests at the same time: one alone falls behind when a thousand jobs start together. */
const senders = 4;
/** The API server keeps events for an hour. */
const rememberMs = 50 * 60_000;
/** Per object: so many at once, then one in five minutes. */
const burst = 25;
const perSecond = 1 / 300;

export class EventRecorder {
  readonly #options: Options;
  readonly #waiting = new Map<string, Waiting>();
  readonly #known = new Map<string, Known>();
  readonly #limits = new Map<string, RateLimit>();
  #sent = 0;
  /** Keys of events that are on their way. */
  readonly #sending = new Set<string>();
  /** Those that will look again whether something waits; their promises, which `flush` waits for, end a moment later. */
  #workers = 0;
  readonly #working = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Queues an event; returns at once. */
  record(object: KubernetesObject, text: EventText): void {
    const { clock, onDrop } = this.#options;
    const about = referenceTo(object);
    const message = clean(text.message);
    const key = JSON.stringify([about.uid, text.type, text.reason, message]);
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.times++;
      waiting.date = new Date();
      return;
    }
    const uid = about.uid ?? '';
    const limit = remember(
      this.#limits,
      uid,
      this.#limits.get(uid) ?? new RateLimit(clock, perSecond, burst),
    );
    if (this.#waiting.size >= maxWaiting || !limit.tryTake()) {
      onDrop?.(1);
      return;
    }
    this.#waiting.set(key, { about, text: { ...text, message }, times: 1, date: new Date() });
    if (this.#workers === senders) return;
    const work = this.#work();
    this.#working.add(work);
    void work.finally(() => this.#working.delete(work));
  }

  /** Sends what waits, for at most `ms`. */
  async flush(ms: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), ms);
    await Promise.all(this.#working);
    clearTimeout(timer);
  }

  async #work(): Promise<void> {
    this.#workers++;
    for (let key = this.#next(); key !== undefined; key = this.#next()) {
      const event = this.#waiting.get(key)!;
      this.#waiting.delete(key);
      this.#sending.add(key);
      await this.#persist(key, event);
      this.#sending.delete(key);
    }
    // Not after the promise: an event that is recorded in between would find all at work, and nobody would send it.
    this.#workers--;
  }

  /** The event that waits longest and is not on its way: the count of a repeat follows from the answer before it. */
  #next(): string | undefined {
    for (const key of this.#waiting.keys()) if (!this.#sending.has(key)) return key;
    return undefined;
  }

  async #persist(key: string, event: Waiting): Promise<void> {
    const { clock, onDrop } = this.#options;
    // Each try has the same name, so a create that was stored and not answered makes no second event.
    const built = this.#build(key, event);
    for (let failures = 1; ; failures++) {
      const again = await this.#send(key, event, built);
      if (again === undefined) return;
      if (failures === maxTries || this.#stop.signal.aborted) break;
      const pause = backoffMs(failures, { baseMs: 500, capMs: 5000 }, Math.random(), again.atLeastMs);
      await wait(clock, pause, this.#stop.signal);
    }
    onDrop?.(event.times);
  }

  /** Sends the event or drops it. @returns when another try is worth it, and how long to wait before as the server asks */
  async #send(key: string, event: Waiting, built: CoreV1Event): Promise<{ atLeastMs: number } | undefined> {
    const { client, clock, log } = this.#options;
    const known = this.#known.get(key);
    try {
      if (known !== undefined && clock.now() - known.at < rememberMs) {
        const count = known.count + event.times;
        const patch = { count, lastTimestamp: event.date };
        await client.patch(coreEvents, known, patch, this.#stop.signal);
        remember(this.#known, key, { ...known, count, at: clock.now() });
      } else {
        await this.#create(built);
        const { name = '', namespace = '' } = built.metadata;
        remember(this.#known, key, { name, namespace, count: event.times, at: clock.now() });
      }
      return undefined;
    } catch (error) {
      this.#known.delete(key);
      log.debug('event was not sent', { reason: event.text.reason, error: String(error) });
      // A namespace that is being deleted, or an event that the server does not want: no try will help.
      if (!isKind(error, 'Forbidden', 'Invalid', 'Aborted'))
        return { atLeastMs: (error instanceof ApiError && error.retryAfterMs) || 0 };
      this.#options.onDrop?.(event.times);
      return undefined;
    }
  }

  async #create(event: CoreV1Event): Promise<void> {
    try {
      await this.#options.client.create(coreEvents, event, this.#stop.signal);
    } catch (error) {
      // The name is of this event alone: a try before was stored.
      if (!isKind(error, 'AlreadyExists')) throw error;
    }
  }

  #build(key: string, { about, text, times, date }: Waiting): CoreV1Event {
    const { component, instance } = this.#options;
    const digest = createHash('sha256').update(`${key} ${instance} ${date.getTime()} ${this.#sent++}`);
    return {
      apiVersion: 'v1',
      kind: coreEvents.kind,
      metadata: {
        name: `${(about.name ?? '').slice(0, 200)}.${digest.digest('hex').slice(0, 16)}`,
        namespace: about.namespace ?? 'default',
      },
      involvedObject: about,
      ...text,
      count: times,
      firstTimestamp: date,
      lastTimestamp: date,
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
    };
  }
}

function referenceTo({
  apiVersion,
  kind,
  metadata: { name, namespace, uid } = {},
}: KubernetesObject): V1ObjectReference {
  const fields = { apiVersion, kind, name, namespace, uid };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** One line without control characters, short enough for the API. */
function clean(message: string): string {
  const line = message.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > maxMessage ? `${line.slice(0, maxMessage - 1)}…` : line;
}

/** Sets the entry and forgets the oldest ones. */
function remember<V>(map: Map<string, V>, key: string, value: V): V {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= maxKnown) break;
    map.delete(oldest);
  }
  return value;
}
