import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Row } from '../../../trainer-image/data/row.ts';
import { readRows } from '../../../trainer-image/data/rows.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-compressed-'));
});
after(() => rm(folder, { recursive: true }));

const { readRow } = sequenceClassification;

/** Rows of a JSONL file with this content and name. */
async function read(content: Buffer, name: string): Promise<Row[]> {
  const file = join(folder, 'file');
  await writeFile(file, content);
  const columns = { text: 'text', label: 'label' };
  const onBadRow = (line: number, reason: string) => assert.fail(`line ${line}: ${reason}`);
  return Array.fromAsync(readRows(file, { name, format: 'JSONL', columns, readRow, onBadRow }));
}
const line = (text: string) => `${JSON.stringify({ text, label: 'x' })}\n`;
const one = line('one');
const two = line('two');
const texts = (rows: Row[]) => rows.map(({ text }) => text);

const codecs = { gz: gzipSync, zst: zstdCompressSync } as const;
for (const [suffix, compress] of Object.entries(codecs)) {
  const name = `train.jsonl.${suffix}`;
  const packed = (text: string) => compress(Buffer.from(text));

  test(`.${suffix}: rows and their lines come as from the plain file`, async () => {
    const many = Array.from({ length: 20_000 }, (_, row) => line(`row ${row}`)).join('');
    const rows = await read(packed(many), name);
    assert.deepEqual(rows, await read(Buffer.from(many), 'train.jsonl'));
    assert.equal(rows[19_999]?.line, 20_000);
    assert.deepEqual(texts(await read(packed(`\ufeff${one}`), name.toUpperCase())), ['one']);
  });

  test(`.${suffix}: several compressed parts, one behind the other, are one file`, async () => {
    const parts = Buffer.concat([packed(one.slice(0, 9)), packed(''), packed(one.slice(9) + two)]);
    assert.deepEqual(texts(await read(parts, name)), ['one', 'two']);
  });

  const whole = packed(one + two.repeat(100));
  const flipped = Buffer.from(whole);
  flipped[6] = (flipped[6] as number) ^ 0xff;
  flipped[whole.length - 12] = (flipped[whole.length - 12] as number) ^ 0xff;
  const damaged: Record<string, Buffer> = {
    'cut off': whole.subarray(0, -4),
    empty: Buffer.alloc(0),
    'not compressed at all': Buffer.from(one),
    'followed by something else': Buffer.concat([whole, Buffer.from('text')]),
    'changed inside': flipped,
  };
  for (const [what, content] of Object.entries(damaged))
    test(`.${suffix}: ${what} is a DataError that names the file`, () =>
      assert.rejects(read(content, name), {
        category: 'DataError',
        message: new RegExp(`^train.jsonl.${suffix} cannot be read as (gzip|zstd): `),
      }));

  test(`.${suffix}: a compressed file inside is named as such`, () =>
    assert.rejects(read(compress(packed(one)), name), {
      category: 'DataError',
      message: /^The content of train.jsonl.\w+ is compressed with/,
      hint: 'Compress it only once.',
    }));

  test(`.${suffix}: a file that expands beyond reason is refused before it is read to its end`, async () => {
    const bomb = packed('x'.repeat(200 * 1024 * 1024));
    await assert.rejects(read(bomb, name), {
      category: 'DataError',
      message: /expands to more than 500 times/,
    });
  });
}

test('empty parts without end are refused', async () => {
  const empty = zstdCompressSync(Buffer.alloc(0));
  await assert.rejects(read(Buffer.concat(Array(5000).fill(empty)), 'a.zst'), {
    category: 'DataError',
    message: /expands/,
  });
});

test('a compressed line above the limit is not kept in memory', async () => {
  const bytes = Buffer.concat([Buffer.alloc(50 * 1024 * 1024, 'abcdefg'), Buffer.from(`\n${one}`)]);
  const file = join(folder, 'long.jsonl.gz');
  await writeFile(file, gzipSync(bytes));
  const bad: number[] = [];
  const columns = { text: 'text', label: 'label' };
  const onBadRow = (at: number) => bad.push(at);
  const rows = readRows(file, { name: 'long.jsonl.gz', format: 'JSONL', columns, readRow, onBadRow });
  assert.deepEqual(texts(await Array.fromAsync(rows)), ['one']);
  assert.deepEqual(bad, [1]);
});
