/** Damaged Parquet and compressed files. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { readBytes } from '../../../trainer-image/data/compressed.ts';
import { ParquetError, readGroups } from '../../../trainer-image/data/parquet-groups.ts';
import { type Random, random } from '../../../trainer-image/data/random.ts';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { cases, seed } from './cases.ts';

/** No case may take longer; most take less than a millisecond. */
const maxMilliseconds = 5000;

const golden = join(import.meta.dirname, '../../golden/parquet');
const folder = mkdtempSync(join(tmpdir(), 'finetune-fuzz-'));
after(() => rmSync(folder, { recursive: true }));

/** One to four bytes changed, now and then the end cut off. */
function damage(file: Uint8Array, source: Random): Uint8Array {
  const bytes = Uint8Array.from(file);
  for (let left = 1 + source.below(4); left > 0; left--)
    bytes[source.below(bytes.length)] = source.below(256);
  return source.below(8) === 0 ? bytes.slice(0, source.below(bytes.length)) : bytes;
}

test(`damaged Parquet files end in values or a ParquetError (${cases} cases)`, async () => {
  const names = readdirSync(golden).filter((name) => /^(?!long).*[.]parquet$/.test(name));
  const files = names.map((name) => new Uint8Array(readFileSync(join(golden, name))));
  let read = 0;
  let slowest = 0;
  for (let index = 0; index < cases; index++) {
    const source = random(seed, 5, index);
    const bytes = damage(files[source.below(files.length)] as Uint8Array, source);
    const file = {
      byteLength: bytes.length,
      slice: (start: number, end?: number) => bytes.slice(start, end).buffer as ArrayBuffer,
    };
    const started = performance.now();
    try {
      for await (const [texts, labels] of readGroups(file, ['text', 'label']))
        assert.equal(texts?.length, labels?.length);
      read += 1;
    } catch (error) {
      assert.ok(error instanceof ParquetError && error.hint !== '', `case ${index}: ${error}`);
    }
    slowest = Math.max(slowest, performance.now() - started);
  }
  assert.ok(slowest < maxMilliseconds, `the slowest case took ${slowest} ms`);
  assert.ok(read > cases / 10 && read < cases, `${read} files can still be read`);
});

/** Cases at a time: most of a case is waiting for the disk and for other threads. */
const atOnce = 8;
const text = Buffer.from('{"text":"free money now","label":"spam"}\n'.repeat(40));

for (const [what, suffix, whole] of [
  ['gzip', '.gz', gzipSync(text)],
  ['zstd', '.zst', zstdCompressSync(text)],
] as const)
  test(`damaged ${what} files end in bytes or a DataError (${cases} cases)`, async () => {
    let refused = 0;
    let next = 0;
    const lane = async (name: string) => {
      const file = join(folder, name);
      while (next < cases) {
        const index = next++;
        writeFileSync(file, damage(whole, random(seed, 6, index)));
        let bytes = 0;
        try {
          for await (const chunk of readBytes(file, name)) bytes += chunk.length;
        } catch (error) {
          assert.ok(
            error instanceof TrainerError && error.category === 'DataError',
            `case ${index}: ${error}`,
          );
          refused += 1;
        }
        assert.ok(bytes < 64 * 1024 * 1024, `case ${index} gives ${bytes} bytes`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, (_, number) => lane(`${number}${suffix}`)));
    assert.ok(refused > cases / 4 && refused < cases, `${refused} of ${cases} are refused`);
  });
