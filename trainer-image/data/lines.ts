import { maxRowBytes, type OnBadRow } from './record.ts';

const lineFeed = 0x0a;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Lines of a UTF-8 text with their numbers, without the CR of a CR LF; blank ones are passed over. */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  onBadRow: OnBadRow,
): AsyncGenerator<{ line: number; text: string }> {
  for await (const { line, bytes } of split(chunks)) {
    const text = bytes === undefined ? undefined : decode(bytes);
    if (bytes === undefined) onBadRow(line, `longer than ${maxRowBytes} bytes`);
    else if (text === undefined) onBadRow(line, 'not valid UTF-8');
    else if (text.trim() !== '') yield { line, text: text.endsWith('\r') ? text.slice(0, -1) : text };
  }
}

function decode(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Lines with something in them. One above the limit comes without bytes and is not kept in memory. */
async function* split(
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
