/** What a watch knows: objects by namespace and name, with indexes. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { Packed, Packer } from './packed.ts';
import { StringPool } from './string-pool.ts';

/** Value under which an object can be found. */
export type Index<T> = (object: T) => string;

/** Keys of the objects by index and value. Most values have one object: a set for each would be a third of the memory of a Job. */
type Found<I extends string> = Record<I, Map<string, string | Set<string>>>;

/** An object as it is kept: packed, where hardly anybody will look at it again. */
export type Entry<T extends object> = {
  uid: string | undefined;
  resourceVersion: string | undefined;
  kept: T | Packed<T>;
};

/** An object of a list that is not complete yet. */
export type Listed<T extends object, I extends string> = {
  key: string;
  values: Record<I, string>;
  entry: Entry<T>;
};

/** What happened to an object. Its key and the values of its indexes cost nothing; the object itself may have to be unpacked. */
export class Change<T extends object, I extends string = never> {
  readonly type: 'added' | 'updated' | 'deleted';
  readonly key: string;
  readonly values: Record<I, string>;
  readonly #entry: Entry<T>;

  constructor(type: Change<T>['type'], { key, values, entry }: Listed<T, I>) {
    this.type = type;
    this.key = key;
    this.values = values;
    this.#entry = entry;
  }

  get object(): T {
    return unpacked(this.#entry);
  }
}

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
  readonly #indexNames: I[];
  readonly #packer = new Packer<T>();
  readonly #strings = new StringPool();

  /** @param isCold whether an object is hardly looked at any more: it is kept packed */
  constructor(indexes: Record<I, Index<T>>, isCold: (object: T) => boolean = () => false) {
    this.#indexes = indexes;
    this.#isCold = isCold;
    this.#indexNames = Object.keys(indexes) as I[];
    this.#found = Object.fromEntries(this.#indexNames.map((name) => [name, new Map()])) as Found<I>;
  }

  get size(): number {
    return this.#entries.size;
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

  /** How many `by` finds. */
  count(index: I, value: string): number {
    const found = this.#found[index].get(value);
    return typeof found === 'object' ? found.size : Number(found !== undefined);
  }

  /** Keys of the objects that `by` finds. */
  keysBy(index: I, value: string): string[] {
    const found = this.#found[index].get(value) ?? [];
    return typeof found === 'string' ? [found] : [...found];
  }

  /** The object as `replace` takes it. A list comes object by object: all of a large one unpacked would be most of the memory. */
  listed(object: T): Listed<T, I> {
    const { uid, resourceVersion } = object.metadata ?? {};
    const kept = this.#isCold(object) ? this.#packer.pack(object) : this.#strings.share(object);
    return { key: keyOf(object), values: this.#valuesOf(object), entry: { uid, resourceVersion, kept } };
  }

  /** A changed UID is another object with the same name: the old one was deleted, a new one added. */
  put(object: T): Change<T, I>[] {
    return this.#enter(this.listed(object));
  }

  remove(object: KubernetesObject): Change<T, I>[] {
    return this.#remove(keyOf(object));
  }

  /**
   * Takes over a complete list, one object after the other as the changes are asked for. Objects that did not change cause
   * no change.
   */
  *replace(list: readonly Listed<T, I>[]): Generator<Change<T, I>> {
    const keys = new Set(list.map(({ key }) => key));
    for (const key of [...this.#entries.keys()]) {
      if (!keys.has(key)) yield* this.#remove(key);
    }
    for (const listed of list) {
      if (!this.#isKnown(listed)) yield* this.#enter(listed);
    }
  }

  #remove(key: string): Change<T, I>[] {
    const previous = this.#drop(key);
    if (previous === undefined) return [];
    this.#entries.delete(key);
    return [new Change('deleted', previous)];
  }

  #enter(listed: Listed<T, I>): Change<T, I>[] {
    const { key, values, entry } = listed;
    const previous = this.#drop(key);
    this.#entries.set(key, entry);
    for (const name of this.#indexNames) file(this.#found[name], values[name], key);
    if (previous === undefined) return [new Change('added', listed)];
    if (previous.entry.uid === entry.uid) return [new Change('updated', listed)];
    return [new Change('deleted', previous), new Change('added', listed)];
  }

  #isKnown({ key, entry: { uid, resourceVersion } }: Listed<T, I>): boolean {
    const known = this.#entries.get(key);
    return known !== undefined && known.uid === uid && known.resourceVersion === resourceVersion;
  }

  #valuesOf(object: T): Record<I, string> {
    const values = this.#indexNames.map((name) => [name, this.#indexes[name](object)]);
    return Object.fromEntries(values) as Record<I, string>;
  }

  /** Takes what is known under this key out of the indexes. */
  #drop(key: string): Listed<T, I> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const values = this.#valuesOf(unpacked(entry));
    for (const name of this.#indexNames) unfile(this.#found[name], values[name], key);
    return { key, values, entry };
  }
}

function file(found: Map<string, string | Set<string>>, value: string, key: string): void {
  const known = found.get(value);
  if (known === undefined) found.set(value, key);
  else if (typeof known === 'string') found.set(value, new Set([known, key]));
  else known.add(key);
}

function unfile(found: Map<string, string | Set<string>>, value: string, key: string): void {
  const known = found.get(value);
  if (typeof known === 'object') known.delete(key);
  if (known === key || (typeof known === 'object' && known.size === 0)) found.delete(value);
}

function unpacked<T extends object>({ kept }: Entry<T>): T {
  return kept instanceof Packed ? kept.unpacked() : kept;
}
