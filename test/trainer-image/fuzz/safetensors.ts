/** Damaged safetensors files: the reader refuses them, or what it gives is sound. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../../trainer-image/data/random.ts';
import { parseHeader, SafetensorsFile } from '../../../trainer-image/model/safetensors.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';
import { readSafetensorsHeader } from '../../../trainer-image/sources/safetensors-header.ts';
import { safetensors as fileOf } from '../data/tiny-model.ts';
import { smallModel } from '../model/fixtures.ts';
import { damage } from './damage.ts';
import { withFile } from './file.ts';
import { isRefusal } from './refusal.ts';
import type { Target } from './target.ts';

const whole = readFileSync(join(smallModel, 'model.safetensors'));
const headerLength = Number(whole.readBigUInt64LE());
const wholeHeader = whole.subarray(8, 8 + headerLength);
/** For the targets that read tensors too. */
const small = fileOf({ 'a.weight': [3, 4], 'b.bias': [5], c: [] });

const header: Target = {
  name: 'safetensors header',
  refusedShare: [0.9, 0.999],
  attempt(source) {
    const damaged = damage(wholeHeader, source);
    try {
      for (const { begin, end } of parseHeader('fuzz', damaged, whole.length).values())
        assert.ok(begin >= 8 + damaged.length && end >= begin && end <= whole.length);
      return false;
    } catch (error) {
      return isRefusal(error, 'ModelError');
    }
  },
};

const file: Target = {
  name: 'safetensors file',
  refusedShare: [0.5, 0.99],
  attempt(source) {
    const name = 'model.safetensors';
    try {
      withFile(name, damage(small, source), (directory) =>
        readAll(new SafetensorsFile(join(directory, name))),
      );
      return false;
    } catch (error) {
      return isRefusal(error, 'ModelError');
    }
  },
};

function readAll(file: SafetensorsFile): void {
  try {
    for (const name of file.entries.keys()) file.read(name);
  } finally {
    file.close();
  }
}

const local = await openSource({ kind: 'volume', uri: 'fuzz', directory: tmpdir() });
const behindASource: Target = {
  name: 'safetensors behind a source',
  refusedShare: [1 / 3, 0.99],
  async attempt(source: Random) {
    const content = damage(small, source);
    const readRange = async (_: string, start: number, length: number) => ({
      bytes: content.subarray(start, start + length),
      size: content.length,
    });
    try {
      await readSafetensorsHeader({ ...local, readRange }, 'model.safetensors');
      return false;
    } catch (error) {
      return isRefusal(error, 'ModelError');
    }
  },
};

export const safetensors: readonly Target[] = [header, file, behindASource];
