/**
 * A row as it stands in its file, not yet checked: the values of the columns that were asked for. A value is what the
 * format can hold: a string, a number, a boolean, null, a list of these; anything else is told to be wrong by its use.
 */
export type DataRecord = {
  /** The line on which it starts; in a Parquet file the number of the row, from 1. */
  line: number;
  values: Readonly<Record<string, unknown>>;
};

/** Told of each row that cannot be used; the reader goes on behind it. */
export type OnBadRow = (line: number, reason: string) => void;

export type ReadOptions = {
  /** The file as the user knows it, for messages. */
  name: string;
  /** Columns that each record has. */
  columns: readonly string[];
  onBadRow: OnBadRow;
};

/** Longest row that is read: a bound on memory, far above any text a model can use. */
export const maxRowBytes = 10 * 1024 * 1024;

/** A name from the data in a message: in quotes, one line, bounded. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}

/** "no column "x"; the columns are "a", "b"". */
export function missingColumn(column: string, existing: readonly string[]): string {
  const shown = existing.slice(0, 10).map(quote).join(', ');
  const more = existing.length > 10 ? ` and ${existing.length - 10} more` : '';
  return `no column ${quote(column)}; the columns are ${shown === '' ? 'none' : shown}${more}`;
}
