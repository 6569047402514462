/** A model that is published where an earlier run has left one. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { replaceModel } from '../../../trainer-image/run/model-folder.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';

const root = mkdtempSync(join(tmpdir(), 'model-folder-'));
after(() => rmSync(root, { recursive: true }));
const place = join(root, 'output');
const local = join(root, 'export');
const published = join(place, 'model');

function write(directory: string, text: string, names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}

const ofNew = ['README.md', 'config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const ofOld = ['README.md', 'config.json', 'model.safetensors', 'added_tokens.json', 'vocab.txt'];
const ofOthers = ['notes.md', 'onnx/config.json', 'training_args.bin'];

beforeEach(() => {
  for (const directory of [place, local]) rmSync(directory, { recursive: true, force: true });
  mkdirSync(place);
  write(local, 'new', ofNew);
});

const replace = async () =>
  replaceModel(await openSource({ kind: 'volume', uri: 'pvc://out', directory: place }), local, 'model');

const contents = () =>
  Object.fromEntries(
    readdirSync(published, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file.slice(published.length + 1), readFileSync(file, 'utf8')]),
  );
const all = (names: readonly string[], text: string) => Object.fromEntries(names.map((name) => [name, text]));

test('the first model of an output is the exported folder', async () => {
  await replace();
  assert.deepEqual(contents(), all(ofNew, 'new'));
});

test('of an earlier model nothing stays, of other files all', async () => {
  write(published, 'old', ofOld);
  write(published, 'other', ofOthers);
  await replace();
  assert.deepEqual(contents(), { ...all(ofNew, 'new'), ...all(ofOthers, 'other') });
});

test('a pod that fails midway leaves no config.json, so nothing loads a mix of two models', async () => {
  write(published, 'old', ofOld);
  // A folder of that name cannot be replaced by the file.
  mkdirSync(join(published, 'tokenizer_config.json'));
  await assert.rejects(replace(), { category: 'OutputError' });
  assert.equal(contents()['model.safetensors'], 'new');
  assert.equal('config.json' in contents(), false);
  rmSync(join(published, 'tokenizer_config.json'), { recursive: true });
  await replace();
  assert.deepEqual(contents(), all(ofNew, 'new'));
});
