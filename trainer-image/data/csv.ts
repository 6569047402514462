import { TrainerError } from '../failure.ts';
import { type CsvRecord, CsvRecords } from './csv-records.ts';
import { type DataRecord, maxRowBytes, missingColumn, quote, type ReadOptions } from './record.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Records of a CSV file (RFC 4180) with a header line; blank lines skipped. Every field is a string.
 * @throws TrainerError DataError when the header is missing, broken, has a name twice or lacks a column.
 */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  { name, columns, onBadRow }: ReadOptions,
): AsyncGenerator<DataRecord> {
  let header: Header | undefined;
  for await (const record of records(chunks)) {
    if (header === undefined) {
      header = readHeader(record, name, columns);
      continue;
    }
    const values = readRecord(record, header);
    if (typeof values === 'string') onBadRow(record.line, values);
    else yield { line: record.line, values };
  }
}

/** Number of fields, and the place of each column that is read. */
type Header = { fields: number; columns: ReadonlyMap<string, number> };

function readHeader(record: CsvRecord, name: string, columns: readonly string[]): Header {
  const refuse = (reason: string): TrainerError =>
    new TrainerError(
      'DataError',
      `${name} line ${record.line}: ${reason}.`,
      'A CSV file starts with a line that names its columns, separated by commas; dataset.columns says which ones are read.',
    );
  if ('error' in record) throw refuse(`the header cannot be read: ${record.error}`);
  const names = record.fields.map((field) => decode(field));
  if (names.includes(undefined)) throw refuse('the header is not valid UTF-8');
  const header = names as string[];
  const twice = header.find((column, index) => header.indexOf(column) !== index);
  if (twice !== undefined) throw refuse(`the header has the column ${quote(twice)} twice`);
  for (const column of columns) if (!header.includes(column)) throw refuse(missingColumn(column, header));
  return {
    fields: header.length,
    columns: new Map(columns.map((column) => [column, header.indexOf(column)])),
  };
}

/** The values by column, or the reason why the record is bad. */
function readRecord(record: CsvRecord, header: Header): DataRecord['values'] | string {
  if ('error' in record) return record.error;
  const { fields } = record;
  if (fields.length !== header.fields) return `${fields.length} fields where the header has ${header.fields}`;
  const values: Record<string, string> = {};
  for (const [column, place] of header.columns) {
    const value = decode(fields[place]);
    if (value === undefined) return 'not valid UTF-8';
    values[column] = value;
  }
  return values;
}

function decode(field: Uint8Array | undefined): string | undefined {
  try {
    return utf8.decode(field);
  } catch {
    return undefined;
  }
}

async function* records(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CsvRecord> {
  const reader = new CsvRecords(maxRowBytes);
  for await (const chunk of chunks) yield* reader.push(chunk);
  yield* reader.end();
}
