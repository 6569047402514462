/**
 * Sees everything that happens to jobs, batch Jobs and pods, past the fault proxy: what the invariants and counts are
 * computed from, and what the scripts wait for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { type Collection, collections, type DirectApi } from './direct-api.ts';

export type Sighting = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubernetesObject };
type Listener = (sighting: Sighting) => void;

/** What was seen in one namespace. */
export class Scene {
  /** Everything, in the order in which it was seen. */
  readonly history: Sighting[] = [];
  /** What exists, by UID. */
  readonly objects = new Map<string, KubernetesObject>();
  readonly listeners = new Set<Listener>();

  of<T extends KubernetesObject>(kind: string): T[] {
    return [...this.objects.values()].filter((object) => object.kind === kind) as T[];
  }

  take(sighting: Sighting): void {
    const uid = sighting.object.metadata?.uid ?? '';
    this.history.push(sighting);
    if (sighting.type === 'DELETED') this.objects.delete(uid);
    else this.objects.set(uid, sighting.object);
    for (const listener of this.listeners) listener(sighting);
  }
}

export class Witness {
  readonly #api: DirectApi;
  readonly #scenes = new Map<string, Scene>();
  readonly #end = new AbortController();
  #watching: Promise<unknown> | undefined;
  #lastAt = 0;

  constructor(api: DirectApi) {
    this.#api = api;
  }

  start(): void {
    this.#watching = Promise.all(Object.values(collections).map((each) => this.#watch(each)));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#watching;
  }

  scene(namespace: string): Scene {
    const known = this.#scenes.get(namespace) ?? new Scene();
    this.#scenes.set(namespace, known);
    return known;
  }

  forget(namespace: string): void {
    this.#scenes.delete(namespace);
  }

  async #watch(collection: Collection): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        const { objects, version } = await this.#api.list(collection);
        this.#relist(collection, objects);
        for await (const { type, object } of this.#api.watch(collection, version, signal)) {
          if (type === 'ERROR') break;
          if (type !== 'BOOKMARK') this.#take({ type: type as Sighting['type'], object });
        }
      } catch {
        // The API server is being restarted: everything is listed anew.
        if (!signal.aborted) await sleep(100);
      }
    }
  }

  /** What a list shows that was not seen yet. */
  #relist({ kind }: Collection, objects: KubernetesObject[]): void {
    const listed = new Set(objects.map(({ metadata }) => metadata?.uid));
    const known = new Map([...this.#scenes.values()].flatMap(({ objects }) => [...objects]));
    for (const object of known.values()) {
      if (object.kind === kind && !listed.has(object.metadata?.uid)) this.#take({ type: 'DELETED', object });
    }
    for (const object of objects) {
      const before = known.get(object.metadata?.uid ?? '');
      if (before?.metadata?.resourceVersion === object.metadata?.resourceVersion) continue;
      // The items of a list of built-in kinds have no kind.
      this.#take({ type: before === undefined ? 'ADDED' : 'MODIFIED', object: { ...object, kind } });
    }
  }

  /** Resolves when nothing was seen anywhere for a while, or after `limitMs`. */
  async quiet(ms: number, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (performance.now() < Math.min(end, this.#lastAt + ms)) await sleep(50);
  }

  #take(sighting: Sighting): void {
    this.#lastAt = performance.now();
    this.scene(sighting.object.metadata?.namespace ?? '').take(sighting);
  }
}
