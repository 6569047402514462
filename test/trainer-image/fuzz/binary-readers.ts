/** Damaged Parquet and compressed files. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decompressed } from '../../../trainer-image/data/compressed.ts';
import { ParquetError, readGroups } from '../../../trainer-image/data/parquet-groups.ts';
import type { Random } from '../../../trainer-image/data/random.ts';
import { isRefusal } from './refusal.ts';
import type { Target } from './target.ts';

/** One to four bytes changed, now and then the end cut off. */
function damage(file: Uint8Array, source: Random): Uint8Array {
  const bytes = Uint8Array.from(file);
  for (let left = 1 + source.below(4); left > 0; left--)
    bytes[source.below(bytes.length)] = source.below(256);
  return source.below(8) === 0 ? bytes.slice(0, source.below(bytes.length)) : bytes;
}

const golden = join(import.meta.dirname, '../../golden/parquet');
const parquetFiles = readdirSync(golden)
  .filter((name) => /^(?!long).*[.]parquet$/.test(name))
  .map((name) => new Uint8Array(readFileSync(join(golden, name))));

const parquet: Target = {
  name: 'Parquet',
  refusedShare: [0.1, 0.9],
  async attempt(source) {
    const bytes = damage(parquetFiles[source.below(parquetFiles.length)] as Uint8Array, source);
    const file = {
      byteLength: bytes.length,
      slice: (start: number, end?: number) => bytes.slice(start, end).buffer as ArrayBuffer,
    };
    try {
      for await (const [texts, labels] of readGroups(file, ['text', 'label']))
        assert.equal(texts?.length, labels?.length);
      return false;
    } catch (error) {
      if (error instanceof ParquetError && error.hint !== '') return true;
      throw error;
    }
  },
};

const text = Buffer.from('{"text":"free money now","label":"spam"}\n'.repeat(40));
const mostBytes = 64 * 1024 * 1024;

const compressed = ([what, suffix, whole]: readonly [string, '.gz' | '.zst', Buffer]): Target => ({
  name: what,
  refusedShare: [0.25, 0.99],
  async attempt(source) {
    const content = damage(whole, source);
    const from = (start: number) => Readable.from(Buffer.from(content.subarray(start)));
    let bytes = 0;
    try {
      for await (const chunk of decompressed({ size: content.length, from }, `file${suffix}`, suffix))
        bytes += chunk.length;
      return false;
    } catch (error) {
      return isRefusal(error, 'DataError');
    } finally {
      assert.ok(bytes < mostBytes, `it gives ${bytes} bytes`);
    }
  },
});

export const binaryReaders: readonly Target[] = [
  parquet,
  compressed(['gzip', '.gz', gzipSync(text)]),
  compressed(['zstd', '.zst', zstdCompressSync(text)]),
];
