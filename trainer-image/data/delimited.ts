import { TrainerError } from '../failure.ts';
import { DelimitedRecords, type Fields } from './delimited-records.ts';
import { type DataRecord, maxRowBytes, missingColumn, quote, type ReadOptions } from './record.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What stands between two fields, in the file and in messages. */
const delimiters = {
  CSV: { byte: ','.charCodeAt(0), plural: 'commas' },
  TSV: { byte: '\t'.charCodeAt(0), plural: 'tabs' },
} as const;

/**
 * Records of a CSV or TSV file with a header line; blank lines skipped. Every value is a string.
 * @throws TrainerError DataError when the header is missing, broken, has a name twice or lacks a column.
 */
export async function* readDelimited(
  chunks: AsyncIterable<Uint8Array>,
  { format, name, columns, onBadRow }: ReadOptions & { format: keyof typeof delimiters },
): AsyncGenerator<DataRecord> {
  let header: Header | undefined;
  for await (const record of records(chunks, delimiters[format].byte)) {
    if (header === undefined) {
      header = readHeader(record, { format, name, columns });
      continue;
    }
    const values = readValues(record, header);
    if (typeof values === 'string') onBadRow(record.line, values);
    else yield { line: record.line, values };
  }
}

/** The number of fields, and the place of each column that is read. */
type Header = { fields: number; places: ReadonlyMap<string, number> };

function readHeader(
  record: Fields,
  { format, name, columns }: Pick<ReadOptions, 'name' | 'columns'> & { format: keyof typeof delimiters },
): Header {
  const refuse = (reason: string): TrainerError =>
    new TrainerError(
      'DataError',
      `${name} line ${record.line}: ${reason}.`,
      `A ${format} file starts with a line that names its columns, separated by ${delimiters[format].plural}; dataset.columns says which ones are read.`,
    );
  if ('error' in record) throw refuse(`the header cannot be read: ${record.error}`);
  const decoded = record.fields.map((field) => decode(field));
  if (decoded.includes(undefined)) throw refuse('the header is not valid UTF-8');
  const names = decoded as string[];
  const twice = names.find((column, index) => names.indexOf(column) !== index);
  if (twice !== undefined) throw refuse(`the header has the column ${quote(twice)} twice`);
  for (const column of columns) if (!names.includes(column)) throw refuse(missingColumn(column, names));
  return { fields: names.length, places: new Map(columns.map((column) => [column, names.indexOf(column)])) };
}

function readValues(record: Fields, header: Header): DataRecord['values'] | string {
  if ('error' in record) return record.error;
  const { fields } = record;
  if (fields.length !== header.fields) return `${fields.length} fields where the header has ${header.fields}`;
  const values = Array.from(header.places, ([column, place]) => [column, decode(fields[place])] as const);
  if (values.some(([, value]) => value === undefined)) return 'not valid UTF-8';
  return Object.fromEntries(values);
}

function decode(field: Uint8Array | undefined): string | undefined {
  try {
    return utf8.decode(field);
  } catch {
    return undefined;
  }
}

async function* records(chunks: AsyncIterable<Uint8Array>, delimiter: number): AsyncGenerator<Fields> {
  const reader = new DelimitedRecords({ delimiter, maxBytes: maxRowBytes });
  for await (const chunk of chunks) yield* reader.push(chunk);
  yield* reader.end();
}
