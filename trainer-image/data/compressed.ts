import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { TrainerError } from '../failure.ts';

/** Suffixes of compressed text files. */
const decompressors = {
  '.gz': { what: 'gzip', open: createGunzip },
  // 2^27 is the window of zstd up to --ultra; files made with --long=31 would need 2 GB.
  '.zst': { what: 'zstd', open: createZstdDecompress },
} as const;

/** From this size on a file that is 500 times smaller than its content is no text: text shrinks to a third or a tenth. */
const bomb = { bytes: 64 * 1024 * 1024, ratio: 500 };
/** Frames smaller than this on average are not made by any compressor; each one costs a reader. */
const smallestFrame = 64;
const chunkBytes = 256 * 1024;

/**
 * The bytes of a text file, decompressed if its name ends in .gz or .zst. Reads as it goes: nothing is kept.
 * @param name the file as the user knows it.
 * @throws TrainerError DataError when the file is damaged, cut off, or expands beyond reason.
 */
export async function* readBytes(file: string, name: string): AsyncGenerator<Buffer> {
  const suffix = compressionOf(name);
  if (suffix === undefined) yield* createReadStream(file, { highWaterMark: chunkBytes });
  else {
    const { size } = await stat(file);
    const from = (start: number) => createReadStream(file, { start, highWaterMark: chunkBytes });
    yield* decompressed({ size, from }, name, suffix);
  }
}

/** ".gz", ".zst", or undefined for a file that is read as it is. */
export function compressionOf(name: string): keyof typeof decompressors | undefined {
  return (['.gz', '.zst'] as const).find((suffix) => name.toLowerCase().endsWith(suffix));
}

/** The bytes of a compressed file, from any place on. */
export type CompressedBytes = { readonly size: number; from(start: number): Readable };

/** A compressed file may be several, one behind the other: each is opened where the one before it ended. */
export async function* decompressed(
  { size, from }: CompressedBytes,
  name: string,
  suffix: keyof typeof decompressors,
): AsyncGenerator<Buffer> {
  const { what, open } = decompressors[suffix];
  let bytes = 0;
  let frames = 0;
  for (let start = 0; start < size || start === 0; ) {
    const decompressor = open({ chunkSize: chunkBytes });
    // Errors of either stream come out of the loop below.
    pipeline(from(start), decompressor, () => {});
    try {
      for await (const chunk of decompressor as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > bomb.bytes && bytes > bomb.ratio * size) throw expandsTooMuch(name, size);
        yield chunk;
      }
    } catch (error) {
      throw error instanceof TrainerError ? error : damaged(name, what, error as Error);
    }
    if (decompressor.bytesWritten === 0) throw damaged(name, what, new Error('it is empty'));
    frames += 1;
    start += decompressor.bytesWritten;
    if (frames > 1000 && frames > size / smallestFrame) throw expandsTooMuch(name, size);
  }
}

function damaged(name: string, what: string, cause: Error): TrainerError {
  return new TrainerError(
    'DataError',
    `${name} cannot be read as ${what}: ${cause.message}.`,
    `Upload the file again, and test it with ${what} -t. Its name must not end in .gz or .zst if it is not compressed.`,
    { cause },
  );
}

function expandsTooMuch(name: string, size: number): TrainerError {
  return new TrainerError(
    'DataError',
    `${name} has ${size} bytes and expands to more than ${bomb.ratio} times as many, which no text does.`,
    'Check how the file was made.',
  );
}
