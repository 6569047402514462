/** What a watch knows: objects by namespace and name, with indexes. */
import type { KubernetesObject } from '@kubernetes/client-node';

export type Change<T> =
  | { type: 'added'; object: T }
  | { type: 'updated'; object: T; previous: T }
  | { type: 'deleted'; object: T };

/** Values under which an object can be found. */
export type Index<T> = (object: T) => string[];

type Found<T, I extends string> = Record<I, Map<string, Set<T>>>;

export function keyOf(object: KubernetesObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}

/** UID of the owner that controls the object. */
export function controllerUid(object: KubernetesObject): string | undefined {
  return object.metadata?.ownerReferences?.find(({ controller }) => controller === true)?.uid;
}

export class Store<T extends KubernetesObject, I extends string = never> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: Record<I, Index<T>>;
  readonly #found: Found<T, I>;

  constructor(indexes: Record<I, Index<T>>) {
    this.#indexes = indexes;
    const names = Object.keys(indexes) as I[];
    this.#found = Object.fromEntries(names.map((name) => [name, new Map()])) as Found<T, I>;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): Iterable<T> {
    return this.#objects.values();
  }

  by(index: I, value: string): T[] {
    return [...(this.#found[index].get(value) ?? [])];
  }

  /** A changed UID is another object with the same name: the old one was deleted, a new one added. */
  put(object: T): Change<T>[] {
    const previous = this.#objects.get(keyOf(object));
    if (previous !== undefined) this.#drop(previous);
    this.#objects.set(keyOf(object), object);
    this.#file(object);
    if (previous === undefined) return [{ type: 'added', object }];
    if (previous.metadata?.uid === object.metadata?.uid) return [{ type: 'updated', object, previous }];
    return [
      { type: 'deleted', object: previous },
      { type: 'added', object },
    ];
  }

  remove(object: KubernetesObject): Change<T>[] {
    const previous = this.#objects.get(keyOf(object));
    if (previous === undefined) return [];
    this.#objects.delete(keyOf(object));
    this.#drop(previous);
    return [{ type: 'deleted', object: previous }];
  }

  /** Takes over a complete list. Objects that did not change cause no change. */
  replace(objects: T[]): Change<T>[] {
    const listed = new Set(objects.map(keyOf));
    const gone = [...this.#objects.values()].filter((object) => !listed.has(keyOf(object)));
    return [
      ...gone.flatMap((object) => this.remove(object)),
      ...objects.filter((object) => !this.#isKnown(object)).flatMap((object) => this.put(object)),
    ];
  }

  #isKnown(object: T): boolean {
    const known = this.#objects.get(keyOf(object))?.metadata;
    return (
      known !== undefined &&
      known.uid === object.metadata?.uid &&
      known.resourceVersion === object.metadata?.resourceVersion
    );
  }

  #file(object: T): void {
    for (const name of Object.keys(this.#indexes) as I[]) {
      for (const value of this.#indexes[name](object)) {
        const found = this.#found[name].get(value);
        if (found === undefined) this.#found[name].set(value, new Set([object]));
        else found.add(object);
      }
    }
  }

  #drop(object: T): void {
    for (const name of Object.keys(this.#indexes) as I[]) {
      for (const value of this.#indexes[name](object)) {
        const found = this.#found[name].get(value);
        found?.delete(object);
        if (found?.size === 0) this.#found[name].delete(value);
      }
    }
  }
}
