import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bundle } from '../../trainer-image/bundle.ts';

let out: string;
let program: string;
let map: { sources: string[]; mappings: string };
before(async () => {
  out = await mkdtemp(join(tmpdir(), 'finetune-bundle-'));
  await bundle(out, { operator: 'operator/main.ts' });
  program = await readFile(join(out, 'operator.mjs'), 'utf8');
  map = JSON.parse(await readFile(join(out, 'operator.mjs.map'), 'utf8'));
});
after(() => rm(out, { recursive: true }));

test('Node keeps a letter of the program in one byte', () => {
  const beyond = [...program].find((letter) => letter > '\x7f');
  assert.equal(beyond, undefined, `"${beyond}" is beyond ASCII: each letter of the program takes two bytes`);
});

test('licenses lie beside the program', async () => {
  assert.match(await readFile(join(out, 'operator.mjs.LEGAL.txt'), 'utf8'), /MIT License/);
});

test('of the client and of zod there is what is used', () => {
  assert.ok(program.includes('loadFromDefault') && program.includes('safeParse'));
  assert.ok(!program.includes('ObjectSerializer'), 'the classes of the generated client are in it');
  assert.ok(!program.includes('forventet'), 'the languages of zod are in it');
});

test('names stay as they are, for the stacks of errors', () => {
  assert.ok(/\bWatch ?= ?class\b/.test(program), 'the class Watch has another name');
});

test('positions lead to our own files, and to none of the packages', () => {
  assert.ok(map.sources.some((source) => source.endsWith('operator/kube/watch.ts')));
  assert.deepEqual(
    map.sources.filter((source) => /node_modules.*\.[cm]?js$/.test(source)),
    [],
  );
});
