import { TrainerError } from '../failure.ts';
import { quote } from './record.ts';

/** Above this number the column is not a label but, by mistake, an id or a text. */
const maxLabels = 256;

/**
 * The labels of a run: given in the order of their ids, or gathered from the train file. These are then put in the order
 * of the model's own labels, where they are the same, so that a trained classifier goes on with what it knows, and else
 * sorted.
 */
export class Labels {
  #ids = new Map<string, number>();
  #open: boolean;
  readonly #ofModel: readonly string[];

  constructor(given: readonly string[] | undefined, ofModel: readonly string[] = []) {
    this.#open = given === undefined;
    this.#ofModel = ofModel;
    for (const label of given ?? []) this.#ids.set(label, this.#ids.size);
  }

  /** The first reason why the labels of a row make it bad, if there is one. */
  addAll(labels: readonly string[]): string | undefined {
    for (const label of labels) {
      const reason = this.add(label);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  /**
   * Takes note of a label while train is read.
   * @returns the reason why a row with this label is bad, if it is.
   */
  add(label: string): string | undefined {
    if (this.#ids.has(label)) return undefined;
    if (!this.#open) {
      const names = this.names();
      const shown = names.slice(0, 10).map(quote).join(', ');
      const more = names.length > 10 ? ` and ${names.length - 10} more` : '';
      return `the label ${quote(label)} is none of ${shown}${more}`;
    }
    if (this.#ids.size === maxLabels) {
      throw new TrainerError(
        'DataError',
        `The train file has more than ${maxLabels} different labels, among them ${quote(label)}.`,
        'Check that dataset.columns names the column with the labels.',
      );
    }
    this.#ids.set(label, this.#ids.size);
    return undefined;
  }

  idOf(label: string): number | undefined {
    return this.#ids.get(label);
  }

  /** Ends the gathering. @returns [labels] the final id of each id given out so far. */
  close(): Int32Array {
    if (!this.#open) return this.identity();
    this.#open = false;
    const gathered = this.names();
    const ordered = inOrderOf(this.#ofModel, gathered) ?? sortLabels(gathered);
    this.#ids = new Map(ordered.map((label, id) => [label, id]));
    return Int32Array.from(gathered, (label) => this.#ids.get(label) as number);
  }

  names(): string[] {
    return [...this.#ids.keys()];
  }

  identity(): Int32Array {
    return Int32Array.from(this.#ids.values());
  }
}

/** `labels` in the order of `others`, if these are the same but perhaps for case, as run_glue of transformers has it. */
function inOrderOf(others: readonly string[], labels: readonly string[]): string[] | undefined {
  for (const key of [(label: string) => label, (label: string) => label.toLowerCase()]) {
    const byKey = new Map(labels.map((label) => [key(label), label]));
    const ordered = new Set(others.map((other) => byKey.get(key(other))));
    if (ordered.has(undefined) || ordered.size < others.length || ordered.size < labels.length) continue;
    return [...ordered] as string[];
  }
  return undefined;
}

/** Integers by value (so that "10" follows "9"), anything else by code points, as Python sorts strings. */
function sortLabels(labels: readonly string[]): string[] {
  const integers = labels.every((label) => /^-?\d{1,15}$/.test(label));
  return [...labels].sort((a, b) =>
    integers && Number(a) !== Number(b) ? Number(a) - Number(b) : compareCodePoints(a, b),
  );
}

function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
