/** Keys in the hands of workers, each with the time since when, and which namespace may have one more there. */
import { namespaceOf } from './turns.ts';

export class UnderWay {
  readonly #workers: number;
  readonly #since = new Map<string, number>();
  /** How many are of a namespace. */
  readonly #held = new Map<string, number>();

  /** @param workers of all namespaces together; infinite = nobody has to share */
  constructor(workers: number) {
    this.#workers = workers;
  }

  get since(): number[] {
    return [...this.#since.values()];
  }

  has(key: string): boolean {
    return this.#since.has(key);
  }

  /**
   * No namespace may hold more workers than are free, so that passes that hang, all in one namespace, leave half of them to
   * the others, those in two namespaces a third, and so on (docs/adr/0008-workers-are-shared-by-namespace.md).
   */
  mayStart(namespace: string): boolean {
    return (this.#held.get(namespace) ?? 0) < this.#workers - this.#since.size;
  }

  start(key: string, now: number): void {
    this.#since.set(key, now);
    const namespace = namespaceOf(key);
    this.#held.set(namespace, (this.#held.get(namespace) ?? 0) + 1);
  }

  /** @returns since when it was there; undefined = it was not */
  end(key: string): number | undefined {
    const since = this.#since.get(key);
    if (since === undefined) return undefined;
    this.#since.delete(key);
    const namespace = namespaceOf(key);
    const left = this.#held.get(namespace)! - 1;
    if (left === 0) this.#held.delete(namespace);
    else this.#held.set(namespace, left);
    return since;
  }
}
