import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { TrainerError } from '../failure.ts';
import { localFailure } from './local-failure.ts';
import { maxListedFiles } from './source.ts';

/**
 * Writes chunks to a new file on the pod's own disk. What an earlier run left in its place is removed, never written to:
 * it may be a link into a volume of the user's. A file that did not get whole does not stay.
 * @throws TrainerError ConfigError when the disk is full, and whatever the chunks end with.
 */
export async function saveFile(
  file: string,
  chunks: AsyncIterable<Buffer>,
): Promise<{ bytes: number; sha256: string }> {
  const target = await create(file);
  try {
    return await writeChunks(target, file, chunks);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await target.close();
  }
}

async function create(file: string): Promise<FileHandle> {
  try {
    await rm(file, { force: true });
    return await open(file, 'wx');
  } catch (error) {
    throw localFailure(error, 'write', file);
  }
}

/** Writes chunks to an open file, which is named `file` in errors, and hashes them on the way. */
export async function writeChunks(
  target: FileHandle,
  file: string,
  chunks: AsyncIterable<Buffer>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    // Not write(), which may write a part of the chunk where the disk gets full.
    await target.appendFile(chunk).catch((error) => Promise.reject(localFailure(error, 'write', file)));
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Ends a stream that gives no byte for `idleMs`: a server that stops in the middle must not stop the run for ever. */
export async function* withIdleTimeout(stream: Readable, idleMs: number): AsyncGenerator<Buffer> {
  const timer = setTimeout(() => stream.destroy(new Error(`no data for ${idleMs} ms`)), idleMs);
  try {
    for await (const chunk of stream) {
      timer.refresh();
      yield chunk as Buffer;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The error for a transfer that ended early without an error of its own. */
export function truncated(uri: string, path: string, bytes: number, want: number): TrainerError {
  return new TrainerError(
    'DataError',
    `${path} in ${uri} gave ${bytes} bytes instead of ${want}.`,
    'The file changed while it was read, or is damaged on the server: upload it again.',
  );
}

export function refuseTooMany(files: number, uri: string): void {
  if (files <= maxListedFiles) return;
  throw new TrainerError(
    'ConfigError',
    `${uri} holds more than ${maxListedFiles} files.`,
    'Name the folder of the model or dataset itself, not a folder above it.',
  );
}
