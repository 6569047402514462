import { TrainerError } from '../failure.ts';
import { type DataRecord, type OnBadRow, quote } from './record.ts';

/** One labelled text, and the line of its file on which it starts; in a Parquet file the number of the row. */
export type Row = { line: number; text: string; label: string };
export type Columns = { text: string; label: string };
/** Longest label, as the result contract has it. */
const maxLabelLength = 128;
const maxListed = 20;
/** Room for the list of lines in a failure message of 2048 characters. */
const maxListedLength = 1700;

/** Checks the values of one record; a string result is the reason why it is bad. */
export function toRow({ line, values }: DataRecord, columns: Columns): Row | string {
  const text = values[columns.text];
  if (typeof text !== 'string') return `${quote(columns.text)} is ${kindOf(text)}, not a string`;
  if (text.trim() === '') return `${quote(columns.text)} is empty`;
  const reason = refuseCharacters(text);
  if (reason !== undefined) return `${quote(columns.text)} ${reason}`;
  const label = toLabel(values[columns.label]);
  if (label === undefined)
    return `${quote(columns.label)} is ${kindOf(values[columns.label])}, not a string, an integer or a boolean`;
  if (label.trim() === '') return `${quote(columns.label)} is empty`;
  if (label.length > maxLabelLength)
    return `${quote(columns.label)} has ${label.length} characters; a label has at most ${maxLabelLength}`;
  const labelReason = refuseCharacters(label);
  if (labelReason !== undefined) return `${quote(columns.label)} ${labelReason}`;
  return { line, text, label };
}

function refuseCharacters(text: string): string | undefined {
  if (text.includes('\0')) return 'contains a NUL character';
  if (!text.isWellFormed()) return 'contains half of a surrogate pair, which is not valid Unicode';
  return undefined;
}

function toLabel(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Collects the bad rows of one file, so that a person sees more than the first mistake. */
export class BadRows {
  readonly #file: string;
  readonly #place: 'line' | 'row';
  readonly #first: string[] = [];
  #count = 0;

  constructor(file: string, place: 'line' | 'row' = 'line') {
    this.#file = file;
    this.#place = place;
  }

  readonly add: OnBadRow = (line, reason) => {
    this.#count += 1;
    if (this.#first.length < maxListed) this.#first.push(`${this.#file} ${this.#place} ${line}: ${reason}`);
  };

  get count(): number {
    return this.#count;
  }

  /** @throws TrainerError DataError that lists the first bad rows, when there are any. */
  refuse(): void {
    if (this.#count === 0) return;
    let text = this.#first[0] ?? '';
    let shown = 1;
    for (const entry of this.#first.slice(1)) {
      if (text.length + entry.length > maxListedLength) break;
      text += `; ${entry}`;
      shown += 1;
    }
    const more = this.#count > shown ? `; and ${this.#count - shown} more` : '';
    const total = this.#count === 1 ? '1 bad row' : `${this.#count} bad rows`;
    throw new TrainerError(
      'DataError',
      `${text}${more} (${total} in ${this.#file}).`,
      'Correct or remove these rows. dataset.columns names the columns, dataset.labels the labels that are allowed.',
    );
  }
}
