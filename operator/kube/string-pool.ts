/** Equal strings once: JSON.parse makes each "True" and each namespace anew, for every object that is kept. */

/** Longer strings are hardly ever equal. */
const maxLength = 300;
/** Then it starts over, so that names of what is gone are not kept for ever. */
const maxStrings = 20_000;

export class StringPool {
  #strings = new Map<string, string>();

  /** The same object, changed in place: its strings are those of the objects before, where they are equal. */
  share<T>(object: T): T {
    this.#walk(object);
    return object;
  }

  #walk(value: unknown): void {
    if (typeof value !== 'object' || value === null || value instanceof Date) return;
    const fields = value as Record<string, unknown>;
    for (const key in fields) {
      const field = fields[key];
      if (typeof field === 'string') fields[key] = this.#one(field);
      else this.#walk(field);
    }
  }

  #one(text: string): string {
    if (text.length > maxLength) return text;
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    if (this.#strings.size >= maxStrings) this.#strings.clear();
    this.#strings.set(text, text);
    return text;
  }
}
