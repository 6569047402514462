import type { RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import { type DataRecord, type OnBadRow, quote } from './record.ts';

/** What a row says, whatever its task: texts and labels. */
export type Content = {
  /** The text; of words, all of them with spaces between. */
  text: string;
  /** The second text of a pair. */
  text2?: string;
  /** Where the row is a list of words and not a text. */
  words?: readonly string[];
  /** Of the row, or one for each word. */
  labels: readonly string[];
  /** What a regression learns. */
  value?: number;
};
/** The content of a row, and the line of its file on which it starts; in a Parquet file the number of the row. */
export type Row = Content & { line: number };
export type Columns = RunConfig['dataset']['columns'];
/** Longest label, as the result contract has it. */
const maxLabelLength = 128;
const maxListed = 20;
/** Room for the list of lines in a failure message of 2048 characters. */
const maxListedLength = 1700;

/** The reason why a value is no usable text, if there is one; `name` is what the message calls it. */
export function textProblem(value: unknown, name: string): string | undefined {
  if (typeof value !== 'string') return `${name} is ${kindOf(value)}, not a string`;
  if (value.trim() === '') return `${name} is empty`;
  const reason = refuseCharacters(value);
  return reason === undefined ? undefined : `${name} ${reason}`;
}

/** The reason why a string is no usable label, if there is one. */
export function labelProblem(label: string, name: string): string | undefined {
  if (label.length > maxLabelLength)
    return `${name} has ${label.length} characters; a label has at most ${maxLabelLength}`;
  return textProblem(label, name);
}

/** The text of a row or its pair of texts, or the reason why the row is bad. */
export function readTexts(
  values: DataRecord['values'],
  { text: column = 'text', text2: column2 }: Columns,
): Pick<Content, 'text' | 'text2'> | string {
  const text = values[column];
  const problem = textProblem(text, quote(column));
  if (problem !== undefined) return problem;
  if (column2 === undefined) return { text: text as string };
  const text2 = values[column2];
  return textProblem(text2, quote(column2)) ?? { text: text as string, text2: text2 as string };
}

/** The texts alone, as a prediction repeats them. */
export function textsOf({ text, text2 }: Content): Pick<Content, 'text' | 'text2'> {
  return text2 === undefined ? { text } : { text, text2 };
}

function refuseCharacters(text: string): string | undefined {
  if (text.includes('\0')) return 'contains a NUL character';
  if (!text.isWellFormed()) return 'contains half of a surrogate pair, which is not valid Unicode';
  return undefined;
}

/** A label as a string; undefined for what is none: integers and booleans are, other numbers are not. */
export function toLabel(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return undefined;
}

/** What a value is, for messages. */
export function kindOf(value: unknown): string {
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

  /** @throws TrainerError DataError that lists the first bad rows, when there are any; `hint` says what to do. */
  refuse(
    hint = 'Correct or remove these rows. dataset.columns names the columns, dataset.labels the labels that are allowed.',
  ): void {
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
    throw new TrainerError('DataError', `${text}${more} (${total} in ${this.#file}).`, hint);
  }
}
