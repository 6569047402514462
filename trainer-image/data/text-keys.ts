/** What is known of a split's texts: a key each, [rows * 2]. */
export type TextKeys = { textKeys: { slice(): Uint32Array } };

/** Finds the first row of a text by its key: a hash table in two arrays, at most 24 bytes a row. */
export class TextIndex {
  /** [rows] the first row with the same text. */
  readonly firstRows: Int32Array;
  readonly #keys: Uint32Array;
  readonly #slots: Int32Array;

  constructor({ textKeys }: TextKeys) {
    this.#keys = textKeys.slice();
    const rows = this.#keys.length / 2;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * rows + 1))).fill(-1);
    this.firstRows = Int32Array.from({ length: rows }, (_, row) => {
      const slot = this.#slotOf(this.#keys[2 * row] as number, this.#keys[2 * row + 1] as number);
      if (this.#slots[slot] === -1) this.#slots[slot] = row;
      return this.#slots[slot] as number;
    });
  }

  /** [rows of the other split] 1 for each whose text is here. */
  holds({ textKeys }: TextKeys): Uint8Array {
    const keys = textKeys.slice();
    return Uint8Array.from({ length: keys.length / 2 }, (_, row) => {
      const slot = this.#slotOf(keys[2 * row] as number, keys[2 * row + 1] as number);
      return this.#slots[slot] === -1 ? 0 : 1;
    });
  }

  /** The slot of a key, or the empty one where it belongs. Keys are hashes already, so they spread by themselves. */
  #slotOf(low: number, high: number): number {
    const last = this.#slots.length - 1;
    let slot = low & last;
    for (;;) {
      const row = this.#slots[slot] as number;
      if (row === -1 || (this.#keys[2 * row] === low && this.#keys[2 * row + 1] === high)) return slot;
      slot = (slot + 1) & last;
    }
  }
}
