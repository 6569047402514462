/** Writes float32 tensors as a safetensors file that Hugging Face libraries read. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { NamedTensor } from './tensor.ts';

/**
 * Writes to a temporary file, flushes it and renames it: the path holds the old file or the whole new one.
 * The data of one tensor at a time is in memory. Returns size and SHA-256 of the file.
 */
export function writeSafetensors(
  path: string,
  tensors: Iterable<NamedTensor>,
): { bytes: number; sha256: string } {
  const list = [...tensors];
  const temporary = `${path}.partial-${process.pid}`;
  const digest = createHash('sha256');
  let bytes = 0;
  const file = openSync(temporary, 'w');
  const write = (chunk: Uint8Array): void => {
    digest.update(chunk);
    let done = 0;
    while (done < chunk.length) done += writeSync(file, chunk, done, chunk.length - done);
    bytes += chunk.length;
  };
  try {
    try {
      write(headerBytes(list));
      for (const { data } of list) write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
  return { bytes, sha256: digest.digest('hex') };
}

/** Makes renames and new files in a directory durable. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Length field and header; spaces at its end put the first tensor at a multiple of 8. */
function headerBytes(tensors: readonly NamedTensor[]): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape } of tensors) {
    const end = offset + 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded]);
}
