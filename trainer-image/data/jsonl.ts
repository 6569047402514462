import { type DataRecord, maxRowBytes, missingColumn, type ReadOptions } from './record.ts';

const lineFeed = 0x0a;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Records of a JSON Lines file: one object per line, blank lines skipped, CR LF accepted. */
export async function* readJsonl(
  chunks: AsyncIterable<Buffer>,
  { columns, onBadRow }: Omit<ReadOptions, 'name'>,
): AsyncGenerator<DataRecord> {
  for await (const { line, bytes } of lines(chunks)) {
    const values = bytes === undefined ? `longer than ${maxRowBytes} bytes` : parseLine(bytes, columns);
    if (typeof values === 'string') onBadRow(line, values);
    else if (values !== undefined) yield { line, values };
  }
}

/** The object of a line, the reason why it is bad, or undefined for a blank line. */
function parseLine(bytes: Buffer, columns: readonly string[]): DataRecord['values'] | string | undefined {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return 'not valid UTF-8';
  }
  if (text.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `not valid JSON: ${jsonReason(error)}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object';
  const object = value as Record<string, unknown>;
  for (const column of columns)
    if (!Object.hasOwn(object, column)) return missingColumn(column, Object.keys(object));
  return object;
}

/** The parser's message without the line number it adds, which is always 1 here, and without line breaks. */
function jsonReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .replace(/ \(line 1 column \d+\)/, '')
    .replace(/\s+/g, ' ')
    .slice(0, 160);
}

/** Lines that are not empty. A line above the limit comes without bytes and is not kept in memory. */
async function* lines(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ line: number; bytes: Buffer | undefined }> {
  let line = 1;
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): Buffer | undefined => {
    const bytes = length > maxRowBytes ? undefined : parts.length === 1 ? parts[0] : Buffer.concat(parts);
    parts = [];
    length = 0;
    return bytes;
  };
  const keep = (part: Buffer): void => {
    length += part.length;
    if (length > maxRowBytes) parts = [];
    else parts.push(part);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      // Empty lines are passed over here: millions of them must not cost a step of the generators each.
      if (end > start || length > 0) {
        keep(chunk.subarray(start, end));
        yield { line, bytes: take() };
      }
      line += 1;
      start = end + 1;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  if (length > 0) yield { line, bytes: take() };
}
