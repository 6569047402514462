/** Random damage to a valid file: the reader answers with a TrainerError or with sound entries, never otherwise. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { random } from '../../../trainer-image/data/random.ts';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { parseHeader, SafetensorsFile } from '../../../trainer-image/model/safetensors.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';
import { readSafetensorsHeader } from '../../../trainer-image/sources/safetensors-header.ts';
import { safetensors } from '../data/tiny-model.ts';
import { smallModel } from '../model/fixtures.ts';
import { cases, seed } from './cases.ts';
import { damage } from './damage.ts';

const whole = readFileSync(join(smallModel, 'model.safetensors'));
const headerLength = Number(whole.readBigUInt64LE());
const header = whole.subarray(8, 8 + headerLength);

test(`damaged headers are refused or sound (${cases} cases)`, () => {
  let refused = 0;
  for (let index = 0; index < cases; index++) {
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
  assert.ok(refused > cases * 0.9, `${refused} refused`);
});

/** A small file of its own: each case writes and reads it whole. */
const small = safetensors({ 'a.weight': [3, 4], 'b.bias': [5], c: [] });

test(`damaged files are refused or can be read to the end (${cases} cases)`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'fuzz-'));
  const path = join(directory, 'model.safetensors');
  let refused = 0;
  for (let index = 0; index < cases; index++) {
    writeFileSync(path, damage(small, random(seed, index, 2)));
    try {
      const file = new SafetensorsFile(path);
      try {
        for (const name of file.entries.keys()) file.read(name);
      } finally {
        file.close();
      }
    } catch (error) {
      assert.ok(error instanceof TrainerError, `seed ${seed}, case ${index}: ${error}`);
      refused++;
    }
  }
  rmSync(directory, { recursive: true });
  assert.ok(refused > cases / 2 && refused < cases, `${refused} of ${cases} are refused`);
});

test(`damaged files behind a source are refused by their headers (${cases} cases)`, async () => {
  const local = await openSource({ kind: 'volume', uri: 'fuzz', directory: tmpdir() });
  let refused = 0;
  for (let index = 0; index < cases; index++) {
    const content = damage(small, random(seed, index, 3));
    const readRange = async (_: string, start: number, length: number) => ({
      bytes: content.subarray(start, start + length),
      size: content.length,
    });
    try {
      await readSafetensorsHeader(Object.assign(local, { readRange }), 'model.safetensors');
    } catch (error) {
      assert.ok(error instanceof TrainerError && error.category === 'ModelError', String(error));
      refused++;
    }
  }
  assert.ok(refused > cases / 3 && refused < cases, `${refused} of ${cases} are refused`);
});
