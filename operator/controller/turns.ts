/** Keys that wait, each with a number: first come, first served within a namespace, and the namespaces by turns. */

/** @param key "namespace/name"; a key without a slash is a namespace of its own */
export const namespaceOf = (key: string): string => key.split('/', 1)[0]!;

export class Turns {
  /** In the order of their turns; none is empty. */
  readonly #namespaces = new Map<string, Map<string, number>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): number | undefined {
    return this.#namespaces.get(namespaceOf(key))?.get(key);
  }

  /** The key, which is not there, comes last in its namespace. */
  add(key: string, value: number): void {
    const namespace = namespaceOf(key);
    const keys = this.#namespaces.get(namespace) ?? new Map<string, number>();
    keys.set(key, value);
    this.#namespaces.set(namespace, keys);
    this.#size++;
  }

  /** The first key of the namespace whose turn it is, of those that may have one. */
  first(may: (namespace: string) => boolean): string | undefined {
    for (const [namespace, keys] of this.#namespaces) {
      if (may(namespace)) return keys.keys().next().value;
    }
    return undefined;
  }

  /** Takes the key out, if it is there; its namespace had its turn. */
  take(key: string): void {
    const namespace = namespaceOf(key);
    const keys = this.#namespaces.get(namespace);
    if (!keys?.delete(key)) return;
    this.#size--;
    this.#namespaces.delete(namespace);
    if (keys.size > 0) this.#namespaces.set(namespace, keys);
  }
}
