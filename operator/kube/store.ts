/** What a watch knows: objects by namespace and name, with indexes. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { Packed, Packer } from './packed.ts';

export type Change<T> =
  | { type: 'added'; object: T }
  | { type: 'updated'; object: T }
  | { type: 'deleted'; object: T };

/** Values under which an object can be found. */
export type Index<T> = (object: T) => string[];

/** Keys of the objects by index and value. */
type Found<I extends string> = Record<I, Map<string, Set<string>>>;

/** An object as it is kept: packed, where hardly anybody will look at it again. */
export type Entry<T extends object> = {
  key: string;
  uid: string | undefined;
  resourceVersion: string | undefined;
  kept: T | Packed<T>;
};

export function keyOf(object: KubernetesObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}

/** UID of the owner that controls the object. */
export function controllerUid(object: KubernetesObject): string | undefined {
  return object.metadata?.ownerReferences?.find(({ controller }) => controller === true)?.uid;
}

export class Store<T extends KubernetesObject, I extends string = never> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #indexes: Record<I, Index<T>>;
  readonly #found: Found<I>;
  readonly #isCold: (object: T) => boolean;
  readonly #packer = new Packer<T>();
  #warm = 0;

  /** @param isCold whether an object is hardly looked at any more: it is kept packed */
  constructor(indexes: Record<I, Index<T>>, isCold: (object: T) => boolean = () => false) {
    this.#indexes = indexes;
    this.#isCold = isCold;
    const names = Object.keys(indexes) as I[];
    this.#found = Object.fromEntries(names.map((name) => [name, new Map()])) as Found<I>;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many are not kept packed. */
  get warm(): number {
    return this.#warm;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    return entry && unpacked(entry);
  }

  *values(): Iterable<T> {
    for (const key of this.#entries.keys()) yield this.get(key)!;
  }

  by(index: I, value: string): T[] {
    return this.keysBy(index, value).map((key) => this.get(key)!);
  }

  /** Keys of the objects that `by` finds. */
  keysBy(index: I, value: string): string[] {
    return [...(this.#found[index].get(value) ?? [])];
  }

  /** The object as `replace` takes it. A list comes page by page: all of a large one unpacked would be most of the memory. */
  entryOf(object: T): Entry<T> {
    const { uid, resourceVersion } = object.metadata ?? {};
    const kept = this.#isCold(object) ? this.#packer.pack(object) : object;
    return { key: keyOf(object), uid, resourceVersion, kept };
  }

  /** A changed UID is another object with the same name: the old one was deleted, a new one added. */
  put(object: T): Change<T>[] {
    return this.#enter(this.entryOf(object), object);
  }

  remove(object: KubernetesObject): Change<T>[] {
    const key = keyOf(object);
    const previous = this.get(key);
    if (previous === undefined) return [];
    this.#set(key, undefined);
    this.#drop(key, previous);
    return [{ type: 'deleted', object: previous }];
  }

  /**
   * Takes over a complete list, one object after the other as the changes are asked for. Objects that did not change cause
   * no change.
   */
  *replace(entries: readonly Entry<T>[]): Generator<Change<T>> {
    const listed = new Set(entries.map(({ key }) => key));
    for (const key of [...this.#entries.keys()]) {
      if (!listed.has(key)) yield* this.remove(this.get(key)!);
    }
    for (const entry of entries) {
      if (!this.#isKnown(entry)) yield* this.#enter(entry, unpacked(entry));
    }
  }

  #enter(entry: Entry<T>, object: T): Change<T>[] {
    const { key } = entry;
    const previous = this.get(key);
    if (previous !== undefined) this.#drop(key, previous);
    this.#set(key, entry);
    this.#file(key, object);
    if (previous === undefined) return [{ type: 'added', object }];
    if (previous.metadata?.uid === entry.uid) return [{ type: 'updated', object }];
    return [
      { type: 'deleted', object: previous },
      { type: 'added', object },
    ];
  }

  #set(key: string, entry: Entry<T> | undefined): void {
    const isWarm = (one: Entry<T> | undefined) => one !== undefined && !(one.kept instanceof Packed);
    this.#warm += Number(isWarm(entry)) - Number(isWarm(this.#entries.get(key)));
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
  }

  #isKnown({ key, uid, resourceVersion }: Entry<T>): boolean {
    const known = this.#entries.get(key);
    return known !== undefined && known.uid === uid && known.resourceVersion === resourceVersion;
  }

  #file(key: string, object: T): void {
    for (const name of Object.keys(this.#indexes) as I[]) {
      for (const value of this.#indexes[name](object)) {
        const found = this.#found[name].get(value);
        if (found === undefined) this.#found[name].set(value, new Set([key]));
        else found.add(key);
      }
    }
  }

  #drop(key: string, object: T): void {
    for (const name of Object.keys(this.#indexes) as I[]) {
      for (const value of this.#indexes[name](object)) {
        const found = this.#found[name].get(value);
        found?.delete(key);
        if (found?.size === 0) this.#found[name].delete(value);
      }
    }
  }
}

function unpacked<T extends object>({ kept }: Entry<T>): T {
  return kept instanceof Packed ? kept.unpacked() : kept;
}
