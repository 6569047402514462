/** Splits a byte stream into lines. */

/** Far above the largest object that etcd stores (1.5 MiB). */
export const maxObjectBytes = 16 * 1024 * 1024;

/** Yields each complete line; throws when the stream ends within one, or a line has no end. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = Buffer.concat([...pending, rest.subarray(0, end)]).toString('utf8');
      rest = rest.subarray(end + 1);
      pending = [];
      pendingBytes = 0;
      if (line.trim() !== '') yield line;
    }
    if (rest.length > 0) {
      pending.push(rest);
      pendingBytes += rest.length;
    }
    if (pendingBytes > maxObjectBytes) throw new Error(`a line of more than ${maxObjectBytes} bytes`);
  }
  if (pendingBytes > 0) throw new Error('the stream ended within a line');
}
