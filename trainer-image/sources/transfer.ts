import type { Readable } from 'node:stream';
import { TrainerError } from '../failure.ts';
import { maxListedFiles } from './source.ts';

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
