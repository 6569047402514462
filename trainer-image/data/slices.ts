/** dataset.slices: groups of rows of the test split, named by the values of some columns. */
import { join } from 'node:path';
import { dataChecks } from '../../crds/data-checks.ts';
import { maxSlices, type RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import type { EncodedSplit } from './encoded.ts';
import { quote } from './record.ts';
import { BadRows, kindOf, labelProblem, toLabel } from './row.ts';
import { placeOf, readRecords } from './rows.ts';

/** The slices of one column: `values` in order, and for each text of the split the place of its own among them. */
export type SlicedColumn = { column: string; values: string[]; of: Int32Array };

/**
 * Reads the columns of dataset.slices for the rows of the test split, in one more pass over its file: only the test
 * split needs them, and it may be the only file that has them.
 * @throws TrainerError DataError when a column is missing, has a value that names no group, or too many values
 */
export async function readSlices(
  split: EncodedSplit,
  { format, slices: columns = [] }: Pick<RunConfig['dataset'], 'format' | 'slices'>,
  directory: string,
): Promise<SlicedColumn[]> {
  if (columns.length === 0) return [];
  const bad = new BadRows(split.file, placeOf(format));
  // The rows of a split are in the order of their file, so the next one is all that has to be looked for.
  let next = 0;
  const isNext = (line: number) => next < split.texts && line === split.lines.at(next);
  const onBadRow = (line: number, reason: string) => {
    if (!isNext(line)) return;
    bad.add(line, reason);
    next++;
  };
  const groups = columns.map((column) => new Groups(column, split));
  const options = { name: split.file, format, columns, onBadRow };
  for await (const { line, values } of readRecords(join(directory, split.file), options)) {
    if (next === split.texts) break;
    if (!isNext(line)) continue;
    for (const group of groups) {
      const problem = group.put(next, values[group.column]);
      if (problem !== undefined) bad.add(line, problem);
    }
    next++;
  }
  bad.refuse('A row belongs to one slice of each column of dataset.slices: correct or remove these rows.');
  return groups.map((group) => group.sorted());
}

/** Gathers the values of one column; memory is that of a number a row. */
class Groups {
  readonly column: string;
  readonly #file: string;
  readonly #of: Int32Array;
  readonly #places = new Map<string, number>();

  constructor(column: string, { file, texts }: EncodedSplit) {
    this.column = column;
    this.#file = file;
    this.#of = new Int32Array(texts);
  }

  /** Takes note of the value of a row, or gives the reason why it names no group. */
  put(row: number, raw: unknown): string | undefined {
    const value = toLabel(raw);
    const name = quote(this.column);
    if (value === undefined) return `${name} is ${kindOf(raw)}, not a string, an integer or a boolean`;
    const problem = labelProblem(value, name);
    if (problem !== undefined) return problem;
    const place = this.#places.get(value) ?? this.#places.size;
    if (place === maxSlices) throw this.#tooMany(value);
    this.#places.set(value, place);
    this.#of[row] = place;
    return undefined;
  }

  sorted(): SlicedColumn {
    const values = [...this.#places.keys()].sort();
    const order = Int32Array.from(this.#places.keys(), (value) => values.indexOf(value));
    return { column: this.column, values, of: this.#of.map((place) => order[place] as number) };
  }

  #tooMany(value: string): TrainerError {
    return new TrainerError(
      'DataError',
      `${this.#file} has more than ${maxSlices} different values in the column ${quote(this.column)}, among them ${quote(value)}.`,
      'dataset.slices takes columns with few values, such as a language or a source; put numbers and dates into groups.',
    );
  }
}

/** Rows of each slice, in the order of `values`. */
export function slicesOf({ values, of }: SlicedColumn): Int32Array[] {
  const rows = values.map((): number[] => []);
  for (const [row, place] of of.entries()) rows[place]?.push(row);
  return rows.map((list) => Int32Array.from(list));
}

/** Whether a slice has too few rows to say anything about it. */
export function isSmall(rows: ArrayLike<number>): boolean {
  return rows.length < dataChecks.smallSlices.threshold;
}

/** @throws TrainerError DataError when too few slices are large enough for what the gate asks of them */
export function refuseUnmeasurable(columns: readonly SlicedColumn[], gate: RunConfig['gate']): void {
  if (gate?.slices === undefined) return;
  const needed = gate.slices.maximumGap === undefined ? 1 : 2;
  for (const sliced of columns) {
    const large = slicesOf(sliced).filter((rows) => !isSmall(rows)).length;
    if (large >= needed) continue;
    throw new TrainerError(
      'DataError',
      `gate.slices needs ${needed} or more slices of the column ${quote(sliced.column)} with at least ${dataChecks.smallSlices.threshold} test rows; there are ${large}.`,
      'Hold out more rows, or take the column out of dataset.slices.',
    );
  }
}
