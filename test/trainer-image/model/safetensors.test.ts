import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { SafetensorsFile } from '../../../trainer-image/model/safetensors.ts';
import { writeSafetensors } from '../../../trainer-image/model/safetensors-writer.ts';

const directory = mkdtempSync(join(tmpdir(), 'safetensors-'));
after(() => rmSync(directory, { recursive: true }));

/** A file with this header (or header text) and so many data bytes. */
function fileWith(header: unknown, data: Uint8Array = new Uint8Array(), claimed?: number): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(claimed ?? json.length));
  const path = join(directory, 'model.safetensors');
  writeFileSync(path, Buffer.concat([length, json, data]));
  return path;
}
const tensor = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

test('what is written is read back, and the digest is the one of the file', () => {
  const path = join(directory, 'written.safetensors');
  const tensors = [
    { name: 'a', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-30, 7) },
    { name: 'empty', shape: [0], data: new Float32Array() },
    { name: 'scalar', shape: [], data: Float32Array.of(9) },
  ];
  const { bytes, sha256 } = writeSafetensors(path, tensors);
  const content = readFileSync(path);
  assert.equal(bytes, content.length);
  assert.equal(sha256, createHash('sha256').update(content).digest('hex'));
  assert.match(content.subarray(8).toString('latin1'), /"__metadata__":\{"format":"pt"\}/);
  const file = new SafetensorsFile(path);
  for (const { name, shape, data } of tensors) {
    assert.deepEqual(file.entries.get(name)?.shape, shape);
    assert.deepEqual(file.read(name), data);
  }
  file.close();
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes('partial')),
    [],
  );
});

test('a failed write leaves the old file and no other', () => {
  const path = join(directory, 'kept.safetensors');
  writeSafetensors(path, [{ name: 'a', shape: [1], data: Float32Array.of(1) }]);
  const before = readFileSync(path);
  const failing = {
    name: 'a',
    shape: [1],
    get data(): Float32Array {
      throw new Error('device lost');
    },
  };
  assert.throws(() => writeSafetensors(path, [failing]), /device lost/);
  assert.deepEqual(readFileSync(path), before);
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes('partial')),
    [],
  );
});

test('half precision and bfloat16 are read as float32', () => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000);
  const bfloats = Uint16Array.of(0x3f80, 0xc040);
  const path = fileWith(
    { h: tensor('F16', [6], 0, 12), b: tensor('BF16', [2], 12, 16) },
    Buffer.concat([new Uint8Array(halves.buffer), new Uint8Array(bfloats.buffer)]),
  );
  const file = new SafetensorsFile(path);
  assert.deepEqual([...file.read('h')], [1, -2, 2 ** -24, 65_504, Number.POSITIVE_INFINITY, -0]);
  assert.deepEqual([...file.read('b')], [1, -3]);
  file.close();
});

test('a tensor is the same when it is read in the background, and a file that was cut off is told', async () => {
  const path = join(directory, 'background.safetensors');
  const data = Float32Array.from({ length: 1000 }, (_, index) => index / 3);
  writeSafetensors(path, [{ name: 'a', shape: [1000], data }]);
  const file = new SafetensorsFile(path);
  assert.deepEqual(await file.readInBackground('a'), file.read('a'));
  truncateSync(path, 3000);
  const want = { category: 'ModelError', message: /ends inside tensor 'a'/ };
  await assert.rejects(file.readInBackground('a'), want);
  assert.throws(() => file.read('a'), want);
  file.close();
});

test('a tensor of integers is refused when it is read as weights', () => {
  const file = new SafetensorsFile(fileWith({ ids: tensor('I64', [1], 0, 8) }, new Uint8Array(8)));
  assert.throws(() => file.read('ids'), { category: 'ModelError', message: /'ids'.*type I64/ });
  file.close();
});

const damages: Record<string, { given: () => string; want: RegExp }> = {
  'an empty file': {
    given: () => {
      const path = join(directory, 'empty');
      writeFileSync(path, '');
      return path;
    },
    want: /only 0 bytes/,
  },
  'a header longer than the file': { given: () => fileWith({}, undefined, 5000), want: /claims 5000 bytes/ },
  'a header longer than the limit': {
    given: () => fileWith({}, undefined, 2 ** 40),
    want: /claims 1099511627776/,
  },
  'a header that is not JSON': { given: () => fileWith('{"a":'), want: /not JSON/ },
  'a header that is a list': { given: () => fileWith('[]'), want: /not a JSON object/ },
  'an entry that is no object': { given: () => fileWith({ a: 1 }), want: /'a' is not an object/ },
  'an unknown type': { given: () => fileWith({ a: tensor('Q4', [1], 0, 4) }), want: /unknown type 'Q4'/ },
  'a type that is a property of objects': {
    given: () => fileWith({ a: tensor('constructor', [1], 0, 4) }),
    want: /unknown type/,
  },
  'a negative size': { given: () => fileWith({ a: tensor('F32', [-1], 0, 4) }), want: /lacks dtype, shape/ },
  'offsets that do not fit the shape': {
    given: () => fileWith({ a: tensor('F32', [2], 0, 4) }, new Uint8Array(4)),
    want: /takes 4 bytes, its shape needs 8/,
  },
  'a shape beyond all memory': {
    given: () => fileWith({ a: tensor('F32', [2 ** 40, 2 ** 40], 0, 4) }, new Uint8Array(4)),
    want: /its shape needs/,
  },
  'a cut file': {
    given: () => fileWith({ a: tensor('F32', [2], 0, 8) }, new Uint8Array(5)),
    want: /cut off/,
  },
  'a file with more bytes': {
    given: () => fileWith({ a: tensor('F32', [1], 0, 4) }, new Uint8Array(5)),
    want: /belong to no tensor/,
  },
  'tensors that overlap': {
    given: () => fileWith({ a: tensor('F32', [2], 0, 8), b: tensor('F32', [2], 4, 12) }, new Uint8Array(12)),
    want: /'b' overlaps/,
  },
  'a gap between tensors': {
    given: () => fileWith({ a: tensor('F32', [1], 0, 4), b: tensor('F32', [1], 8, 12) }, new Uint8Array(12)),
    want: /'b' follows a gap/,
  },
};
for (const [name, { given, want }] of Object.entries(damages)) {
  test(`${name} is refused, naming the file`, () => {
    const path = given();
    assert.throws(
      () => new SafetensorsFile(path),
      (error) => {
        assert.ok(error instanceof TrainerError);
        assert.equal(error.category, 'ModelError');
        assert.match(error.message, want);
        assert.ok(error.message.includes(path));
        return true;
      },
    );
  });
}
