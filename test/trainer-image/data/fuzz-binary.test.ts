/** Damaged Parquet and compressed files. FUZZ_CASES sets the number of cases, FUZZ_SEED the seed. */
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

const cases = Number(process.env['FUZZ_CASES'] ?? 4000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
/** No case may take longer; most take less than a millisecond. */
const maxMilliseconds = 5000;

const golden = join(import.meta.dirname, '../../golden/parquet');
const folder = mkdtempSync(join(tmpdir(), 'finetune-fuzz-'));
after(() => rmSync(folder, { recursive: true }));

/** One to four bytes changed, now and then the end cut off. */
function damage(file: Uint8Array, source: Random): Uint8Array {
  const bytes = file.slice();
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

/** Each case writes and opens a file, so there are fewer. */
const compressedCases = Math.ceil(cases / 10);
test(`damaged compressed files end in bytes or a DataError (${compressedCases} cases)`, async () => {
  const text = Buffer.from('{"text":"free money now","label":"spam"}\n'.repeat(40));
  const files = { 'a.gz': gzipSync(text), 'a.zst': zstdCompressSync(text) };
  let refused = 0;
  for (let index = 0; index < compressedCases; index++) {
    const source = random(seed, 6, index);
    const name = source.below(2) === 0 ? 'a.gz' : 'a.zst';
    const file = join(folder, name);
    writeFileSync(file, damage(files[name], source));
    let bytes = 0;
    try {
      for await (const chunk of readBytes(file, name)) bytes += chunk.length;
    } catch (error) {
      assert.ok(error instanceof TrainerError && error.category === 'DataError', `case ${index}: ${error}`);
      refused += 1;
    }
    assert.ok(bytes < 64 * 1024 * 1024, `case ${index} gives ${bytes} bytes`);
  }
  assert.ok(refused > compressedCases / 4 && refused < compressedCases, `${refused} files are refused`);
});
