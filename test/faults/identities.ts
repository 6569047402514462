/** Names for objects that stay the same from run to run: which job, run and stage an object is about, and its number. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { labels } from '../../operator/manifests/names.ts';
import type { Sighting } from './witness.ts';

/** "Job spam#1 run 1 train", by UID, for everything that was seen. */
export class Identities {
  readonly #incarnations = new Map<string, string>();
  readonly #kinds = new Map<string, string>();
  readonly #names = new Map<string, string>();

  constructor(history: readonly Sighting[]) {
    const incarnations = new Map<string, number>();
    const numbers = new Map<string, number>();
    const next = (map: Map<string, number>, key: string) => {
      map.set(key, (map.get(key) ?? 0) + 1);
      return map.get(key);
    };
    for (const { object } of history) {
      const { uid = '', name = '' } = object.metadata ?? {};
      if (object.kind !== 'FineTuneJob' || this.#incarnations.has(uid)) continue;
      this.#incarnations.set(uid, `${name}#${next(incarnations, name)}`);
    }
    for (const { object } of history) {
      const { uid = '' } = object.metadata ?? {};
      if (this.#names.has(uid)) continue;
      const kind = this.#kindOf(object);
      this.#kinds.set(uid, kind);
      this.#names.set(uid, `${kind} no. ${next(numbers, kind)}`);
    }
  }

  /** The same for all objects that have the same part. */
  kind(uid: string): string {
    return this.#kinds.get(uid) ?? uid;
  }

  /** Different for each object. */
  name(uid: string): string {
    return this.#names.get(uid) ?? `UNKNOWN ${uid}`;
  }

  /** Replaces each UID in the text by the name of its object. */
  replaceIn(text: string): string {
    return text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (uid) =>
      this.name(uid),
    );
  }

  #kindOf({ kind, metadata }: KubernetesObject): string {
    const own = metadata?.labels ?? {};
    const job = own[labels.jobUid];
    if (kind === 'FineTuneJob') return `FineTuneJob ${this.#incarnations.get(metadata?.uid ?? '')}`;
    if (job === undefined) return `${kind} ${metadata?.name?.replace(/-[0-9a-f]{10}-/, '-HASH-')}`;
    return `${kind} ${this.#incarnations.get(job) ?? job} run ${own[labels.run]} ${own[labels.stage]}`;
  }
}
