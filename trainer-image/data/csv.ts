import { TrainerError } from '../failure.ts';
import { type CsvRecord, CsvRecords } from './csv-records.ts';
import { type Columns, maxRowBytes, missingColumn, type OnBadRow, quote, type Row, toRow } from './row.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Rows of a CSV file (RFC 4180) with a header line; blank lines skipped. Every field is a string.
 * @throws TrainerError DataError when the header is missing, broken, has a name twice or lacks a column.
 */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  { name, columns, onBadRow }: { name: string; columns: Columns; onBadRow: OnBadRow },
): AsyncGenerator<Row> {
  let header: Header | undefined;
  for await (const record of records(chunks)) {
    if (header === undefined) {
      header = readHeader(record, name, columns);
      continue;
    }
    const row = readRecord(record, header, columns);
    if (typeof row === 'string') onBadRow(record.line, row);
    else yield row;
  }
}

type Header = { fields: number; text: number; label: number };

function readHeader(record: CsvRecord, name: string, columns: Columns): Header {
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
  for (const column of [columns.text, columns.label])
    if (!header.includes(column)) throw refuse(missingColumn(column, header));
  return {
    fields: header.length,
    text: header.indexOf(columns.text),
    label: header.indexOf(columns.label),
  };
}

function readRecord(record: CsvRecord, header: Header, columns: Columns): Row | string {
  if ('error' in record) return record.error;
  const { fields, line } = record;
  if (fields.length !== header.fields) return `${fields.length} fields where the header has ${header.fields}`;
  const text = decode(fields[header.text]);
  const label = decode(fields[header.label]);
  if (text === undefined || label === undefined) return 'not valid UTF-8';
  return toRow(line, { text, label }, columns);
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
