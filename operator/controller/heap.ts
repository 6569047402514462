/** Entries in the order of their time. */

export type Timed = { at: number; key: string };

/** Binary heap; the earliest entry is first. */
export class Heap {
  readonly #entries: Timed[] = [];

  get size(): number {
    return this.#entries.length;
  }

  get first(): Timed | undefined {
    return this.#entries[0];
  }

  push(entry: Timed): void {
    const entries = this.#entries;
    let at = entries.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (entries[parent]!.at <= entry.at) break;
      entries[at] = entries[parent]!;
      at = parent;
    }
    entries[at] = entry;
  }

  shift(): Timed | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (first === undefined || last === undefined || entries.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && entries[child + 1]!.at < entries[child]!.at) child++;
      if (entries[child]!.at >= last.at) break;
      entries[at] = entries[child]!;
      at = child;
    }
    entries[at] = last;
    return first;
  }
}
