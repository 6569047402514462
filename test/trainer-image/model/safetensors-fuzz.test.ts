/** Random damage to a valid file: the reader answers with a TrainerError or with sound entries, never otherwise. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { random } from '../../../trainer-image/data/random.ts';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { parseHeader, SafetensorsFile } from '../../../trainer-image/model/safetensors.ts';
import { damage } from '../damage.ts';
import { smallModel } from './fixtures.ts';

const count = Number(process.env['FUZZ_CASES'] ?? 4000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const whole = readFileSync(join(smallModel, 'model.safetensors'));
const headerLength = Number(whole.readBigUInt64LE());
const header = whole.subarray(8, 8 + headerLength);

test(`${count} damaged headers are refused or sound`, () => {
  let refused = 0;
  for (let index = 0; index < count; index++) {
    const damaged = damage(header, random(seed, index));
    try {
      const entries = parseHeader('fuzz', damaged, whole.length);
      for (const { begin, end } of entries.values())
        assert.ok(begin >= 8 + damaged.length && end >= begin && end <= whole.length, `case ${index}`);
    } catch (error) {
      assert.ok(error instanceof TrainerError, `seed ${seed}, case ${index}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > count * 0.9, `${refused} refused`);
});

test('damaged files are refused or can be read to the end', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fuzz-'));
  const path = join(directory, 'model.safetensors');
  for (let index = 0; index < count / 20; index++) {
    writeFileSync(path, damage(whole, random(seed, index, 2)));
    try {
      const file = new SafetensorsFile(path);
      try {
        for (const name of file.entries.keys()) file.read(name);
      } finally {
        file.close();
      }
    } catch (error) {
      assert.ok(error instanceof TrainerError, `seed ${seed}, case ${index}: ${error}`);
    }
  }
  rmSync(directory, { recursive: true });
});
