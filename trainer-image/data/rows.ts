import { createReadStream } from 'node:fs';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';
import { readCsv } from './csv.ts';
import { readJsonl } from './jsonl.ts';
import type { DataRecord, OnBadRow } from './record.ts';
import type { Columns, Content, Row } from './row.ts';

export type Format = RunConfig['dataset']['format'];

/** First bytes of formats that people upload by mistake. */
const otherFormats: readonly (readonly [number[], string])[] = [
  [[0x1f, 0x8b], 'compressed with gzip'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'compressed with zstd'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive'],
  [[0x50, 0x41, 0x52, 0x31], 'a Parquet file'],
  [[0xff, 0xfe], 'UTF-16 text'],
  [[0xfe, 0xff], 'UTF-16 text'],
];
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Streams the rows of a file, read by `readRow` of the task. A row that cannot be used goes to `onBadRow`, never silently away.
 * @param name the file as the user knows it, for messages.
 * @throws TrainerError DataError when the file as a whole cannot be read: another format, no usable header.
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
  const { format, columns, onBadRow } = options;
  const chunks = withoutMark(createReadStream(file, { highWaterMark: 256 * 1024 }), options.name);
  const reading = { ...options, columns: Object.values(columns) };
  for await (const { line, values } of format === 'JSONL'
    ? readJsonl(chunks, reading)
    : readCsv(chunks, reading)) {
    const content = options.readRow(values, columns);
    if (typeof content === 'string') onBadRow(line, content);
    else yield { line, ...content };
  }
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
  for (const [magic, what] of otherFormats) {
    if (magic.every((byte, index) => start[index] === byte)) {
      throw new TrainerError(
        'DataError',
        `${name} is ${what}.`,
        'Give the file as plain UTF-8 text in the format that dataset.format names.',
      );
    }
  }
  return start.subarray(0, 3).equals(byteOrderMark) ? start.subarray(3) : start;
}
