/**
 * The wanted columns of a Parquet file, row group by row group. hyparquet reads the format; here is what a user's file
 * may be, and in words what is wrong with it.
 */
import type { FileHandle } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type ColumnMetaData,
  type Compressors,
  type PageHeader,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
  type SchemaElement,
  type SchemaTree,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { snappyUncompressor } from 'hysnappy';
import { missingColumn, quote } from './record.ts';

/** A row group is read as a whole, so these bound memory: the wanted columns before compression, and their values. */
const maxGroupBytes = 256 * 1024 * 1024;
const maxGroupValues = 2 ** 24;
const groupAdvice =
  'Write the file anew with smaller row groups: to_parquet(..., row_group_size=50000) in pandas.';

/** What is wrong with a file, in words for the user. */
export class ParquetError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/**
 * hyparquet has Snappy too, but follows lengths of damaged data without end. It checks the sizes of the results, and reads
 * behind their ends where a page says that it has more values than it has: what Node unpacks lies in larger buffers, whose
 * rest is whatever was in memory, so each page gets one of its own size.
 */
const compressors: Compressors = {
  SNAPPY: snappyUncompressor(),
  GZIP: (bytes, size) => exact(gunzipSync(bytes, { maxOutputLength: Math.max(1, size) })),
  ZSTD: (bytes, size) => exact(zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, size) })),
  BROTLI: (bytes, size) => exact(brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, size) })),
};

const exact = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text; bytes that are no UTF-8 stay bytes. */
function textOf(bytes: Uint8Array): string | Uint8Array {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes.slice();
  }
}

/**
 * Values of each wanted column, one list a column, for one row group after the other. Integers of 64 bits come as
 * numbers where they are exact and else as their digits, missing values as null, text that is no UTF-8 as bytes.
 * @throws ParquetError for a file that is damaged, or whose columns are missing or of a type no task reads.
 */
export async function* readGroups(
  file: AsyncBuffer,
  columns: readonly string[],
): AsyncGenerator<unknown[][]> {
  try {
    yield* groupsOf(insideOf(file), columns);
  } catch (error) {
    if (error instanceof ParquetError) throw error;
    throw new ParquetError(
      `it is damaged or uses something that is not supported: ${(error as Error).message}`,
      'Upload the file again, and check that pandas.read_parquet reads it. LZ4 and LZO are not supported.',
    );
  }
}

async function* groupsOf(file: AsyncBuffer, columns: readonly string[]): AsyncGenerator<unknown[][]> {
  const parsers = { stringFromBytes: textOf, jsonFromBytes: textOf };
  const metadata = await parquetMetadataAsync(file, { geoparquet: false });
  checkColumns(parquetSchema(metadata).children, columns);
  for (const [index, group] of metadata.row_groups.entries()) {
    const wanted = group.columns
      .flatMap(({ meta_data }) => meta_data ?? [])
      .filter(({ path_in_schema }) => columns.includes(path_in_schema[0] ?? ''));
    refuseLargeGroup(index + 1, wanted, columns);
    for (const chunk of wanted) await checkPages(file, chunk);
  }
  const scan = await parquetScan({ file, metadata, columns: [...columns], compressors, parsers });
  for (const { rowStart, rowEnd } of scan.ranges) {
    const lists: unknown[][] = [];
    for (const column of columns) {
      const values = Array.from(await scan.readColumn({ column, rowStart, rowEnd }), plainValue);
      if (values.length !== rowEnd - rowStart)
        throw new Error(`the column ${quote(column)} ends before row ${rowEnd}`);
      lists.push(values);
    }
    yield lists;
  }
}

function refuseLargeGroup(
  number: number,
  chunks: readonly ColumnMetaData[],
  columns: readonly string[],
): void {
  const bytes = chunks.reduce((sum, chunk) => sum + Number(chunk.total_uncompressed_size), 0);
  const values = chunks.reduce((most, chunk) => Math.max(most, Number(chunk.num_values)), 0);
  if (!(bytes > maxGroupBytes || values > maxGroupValues)) return;
  throw new ParquetError(
    `row group ${number} has ${bytes} bytes and ${values} values in ${columns.map(quote).join(', ')}; at most ${maxGroupBytes} bytes and ${maxGroupValues} values are read at once`,
    groupAdvice,
  );
}

/** The headers of all pages of a column must agree with what the file says of it: a decoder believes them. */
async function checkPages(file: AsyncBuffer, chunk: ColumnMetaData): Promise<void> {
  const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const bytes = await file.slice(start, start + Number(chunk.total_compressed_size));
  const reader = { view: new DataView(bytes), offset: 0 };
  let values = 0;
  let size = 0;
  while (reader.offset < bytes.byteLength - 1) {
    const header = parquetHeader(reader);
    if (!isComplete(header)) throw new Error('the header of a page is damaged');
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
    values += (v1 ?? v2)?.num_values ?? 0;
    size += header.uncompressed_page_size;
    if (values > chunk.num_values || (dictionary?.num_values ?? 0) > maxGroupValues || size > maxGroupBytes)
      throw new Error('a page does not fit its column');
    reader.offset += header.compressed_page_size;
  }
}

/** Whether all sizes and counts that the decoder will use are there; it would read on from nowhere. */
function isComplete(page: PageHeader): boolean {
  const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = page;
  const levels = v2 && [
    v2.num_nulls,
    v2.num_rows,
    v2.definition_levels_byte_length,
    v2.repetition_levels_byte_length,
  ];
  const counts = [page.compressed_page_size, page.uncompressed_page_size];
  for (const kind of [v1, v2, dictionary]) if (kind !== undefined) counts.push(kind.num_values);
  return [...counts, ...(levels ?? [])].every((count) => Number.isInteger(count) && count >= 0);
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  return Array.isArray(value) ? value.map(plainValue) : (value ?? null);
}

function checkColumns(existing: readonly SchemaTree[], columns: readonly string[]): void {
  const names = existing.map(({ element }) => element.name);
  for (const column of columns) {
    const found = existing.find(({ element }) => element.name === column);
    if (found === undefined)
      throw new ParquetError(
        missingColumn(column, names),
        'dataset.columns names the columns that are read.',
      );
    const leaf = leafOf(found);
    if (leaf !== undefined && isPlain(leaf)) continue;
    const kind =
      leaf === undefined
        ? 'is nested'
        : `has the type ${leaf.logical_type?.type ?? leaf.converted_type ?? leaf.type}`;
    throw new ParquetError(
      `the column ${quote(column)} ${kind}; strings, integers, booleans and lists of these can be read`,
      'Convert the column, or name another one in dataset.columns.',
    );
  }
}

/** The values of a column, or the items of a list of values; undefined for anything deeper. */
function leafOf({ element, children }: SchemaTree): SchemaElement | undefined {
  if (children.length === 0) return element.repetition_type === 'REPEATED' ? undefined : element;
  const [repeated, ...others] = children;
  if (element.converted_type !== 'LIST' || repeated === undefined || others.length > 0) return undefined;
  if (repeated.element.repetition_type !== 'REPEATED' || repeated.children.length !== 1) return undefined;
  const item = repeated.children[0];
  return item?.children.length === 0 ? item.element : undefined;
}

function isPlain({ type, converted_type, logical_type }: SchemaElement): boolean {
  const meaning = logical_type?.type ?? converted_type;
  switch (type) {
    case 'BOOLEAN':
    case 'FLOAT':
    case 'DOUBLE':
      return true;
    case 'INT32':
    case 'INT64':
      return meaning === undefined || /^U?INT/.test(meaning);
    case 'BYTE_ARRAY':
      return meaning === undefined || ['STRING', 'UTF8', 'ENUM', 'JSON'].includes(meaning);
    default:
      return false;
  }
}

/** A damaged file may name any range of bytes: none is read that it does not have. */
function insideOf({ byteLength, slice }: AsyncBuffer): AsyncBuffer {
  return {
    byteLength,
    slice(start, end = byteLength) {
      if (start >= 0 && start <= end && end <= byteLength) return slice(start, end);
      throw new Error(`bytes ${start} to ${end} are outside of the file of ${byteLength} bytes`);
    },
  };
}

/** An open file as hyparquet reads it. */
export async function fileBuffer(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    async slice(start, end = size) {
      const bytes = new Uint8Array(end - start);
      for (let read = 0; read < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, read, bytes.length - read, start + read);
        if (bytesRead === 0) throw new Error('the file became shorter while it was read');
        read += bytesRead;
      }
      return bytes.buffer;
    },
  };
}
