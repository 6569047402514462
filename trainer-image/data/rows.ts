import type { RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import { compressionOf, readBytes } from './compressed.ts';
import { readDelimited } from './delimited.ts';
import { readJsonl } from './jsonl.ts';
import { readParquet } from './parquet.ts';
import type { DataRecord, OnBadRow, ReadOptions } from './record.ts';
import type { Columns, Content, Row } from './row.ts';
import { readText } from './text.ts';

export type Format = RunConfig['dataset']['format'];

/** First bytes of formats that people upload by mistake, and what to do. */
const otherFormats: readonly { magic: number[]; what: string; hint: string }[] = [
  {
    magic: [0x1f, 0x8b],
    what: 'compressed with gzip',
    hint: 'Let its name end in .gz, here and in dataset.splits.',
  },
  {
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    what: 'compressed with zstd',
    hint: 'Let its name end in .zst, here and in dataset.splits.',
  },
  { magic: [0x50, 0x4b, 0x03, 0x04], what: 'a zip archive', hint: 'Unpack it, or compress it with gzip.' },
  { magic: [0x50, 0x41, 0x52, 0x31], what: 'a Parquet file', hint: 'Set dataset.format to Parquet.' },
  { magic: [0xff, 0xfe], what: 'UTF-16 text', hint: 'Save it as UTF-8.' },
  { magic: [0xfe, 0xff], what: 'UTF-16 text', hint: 'Save it as UTF-8.' },
];
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** What a row is counted by: text has lines, a Parquet file rows. */
export function placeOf(format: Format): 'line' | 'row' {
  return format === 'Parquet' ? 'row' : 'line';
}

/**
 * Streams the rows of a file, read by `readRow` of the task. A row that cannot be used goes to `onBadRow`, never silently
 * away.
 * @param name the file as the user knows it, for messages; its suffix tells how it is compressed.
 * @throws TrainerError DataError when the file as a whole cannot be read: another format, no usable header, damaged.
 */
export async function* readRows(
  file: string,
  options: {
    name: string;
    format: Format;
    columns: Columns;
    readRow(values: DataRecord['values'], columns: Columns): Content | string;
    onBadRow: OnBadRow;
  },
): AsyncGenerator<Row> {
  const { columns, onBadRow } = options;
  for await (const record of readRecords(file, { ...options, columns: Object.values(columns) })) {
    const content = options.readRow(record.values, columns);
    if (typeof content === 'string') onBadRow(record.line, content);
    else yield { line: record.line, ...content };
  }
}

/** Streams the records of a file, whatever they are used for. Throws as `readRows` does. */
export function readRecords(
  file: string,
  options: ReadOptions & { format: Format },
): AsyncGenerator<DataRecord> {
  const { format, name } = options;
  if (format === 'Parquet') return readParquet(file, options);
  const chunks = withoutMark(readBytes(file, name), name);
  if (format === 'JSONL') return readJsonl(chunks, options);
  return format === 'Text' ? readText(chunks, options) : readDelimited(chunks, { ...options, format });
}

/** Drops the byte order mark and refuses what is no text in UTF-8. */
async function* withoutMark(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  let first: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (first === undefined) {
      yield chunk;
      continue;
    }
    first = Buffer.concat([first, chunk]);
    if (first.length < 4) continue;
    yield checkedStart(first, name);
    first = undefined;
  }
  if (first !== undefined) yield checkedStart(first, name);
}

function checkedStart(start: Buffer, name: string): Buffer {
  for (const { magic, what, hint } of otherFormats) {
    if (!magic.every((byte, index) => start[index] === byte)) continue;
    const inside = compressionOf(name) !== undefined;
    const content = inside ? `The content of ${name} is` : `${name} is`;
    const twice = inside && what.startsWith('compressed');
    throw new TrainerError('DataError', `${content} ${what}.`, twice ? 'Compress it only once.' : hint);
  }
  // No format for text begins with a character that is none; UTF-16 without a mark has one beside each Latin letter.
  if (start.subarray(0, 4).includes(0))
    throw new TrainerError('DataError', `${name} is UTF-16 or no text at all.`, 'Save it as UTF-8.');
  return start.subarray(0, 3).equals(byteOrderMark) ? start.subarray(3) : start;
}
