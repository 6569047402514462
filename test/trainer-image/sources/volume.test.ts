import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { downloadFolder, uploadFolder } from '../../../trainer-image/sources/folder.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';
import { isSafePath, type Source } from '../../../trainer-image/sources/source.ts';
import { writeChunks } from '../../../trainer-image/sources/transfer.ts';

let top: string;
let root: string;
let source: Source;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'finetune-volume-'));
  root = join(top, 'volume');
  await mkdir(root);
  source = await openSource({ kind: 'volume', uri: 'pvc://claim/models', directory: root });
});
afterEach(() => rm(top, { recursive: true }));

test('a folder goes up, is listed, and comes back byte for byte', async () => {
  const from = join(top, 'from');
  await mkdir(join(from, 'deep'), { recursive: true });
  await writeFile(join(from, 'a'), 'alpha');
  await writeFile(join(from, 'deep', 'b'), 'beta');
  await uploadFolder(source, from, 'run/1', { last: 'a' });
  assert.deepEqual(await source.list('run'), [
    { path: 'run/1/a', bytes: 5 },
    { path: 'run/1/deep/b', bytes: 4 },
  ]);
  const got = await downloadFolder(source, 'run/1', join(top, 'to'), { only: (path) => path !== 'a' });
  const sha256 = createHash('sha256').update('beta').digest('hex');
  assert.deepEqual(got, [{ path: 'deep/b', bytes: 4, sha256 }]);
  assert.equal(await readFile(join(top, 'to', 'deep', 'b'), 'utf8'), 'beta');
});

test('the last file goes up after all others', async () => {
  const from = join(top, 'from');
  await mkdir(from);
  for (const name of ['manifest.json', 'a', 'b', 'c', 'd', 'e', 'f', 'z'])
    await writeFile(join(from, name), name);
  const order: string[] = [];
  const watched: Source = {
    ...source,
    upload: async (file, path) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await source.upload(file, path);
      order.push(path);
    },
  };
  await uploadFolder(watched, from, '', { last: 'manifest.json' });
  assert.equal(order.at(-1), 'manifest.json');
  assert.equal(order.length, 8);
});

test('removing the last file of a folder removes the folder, never the root', async () => {
  await writeFile(join(top, 'file'), 'x');
  await source.upload(join(top, 'file'), 'a/b/c');
  await source.upload(join(top, 'file'), 'a/d');
  await source.remove('a/b/c');
  assert.deepEqual(await readdir(join(root, 'a')), ['d']);
  await source.remove('a/d');
  await source.remove('a/d');
  assert.deepEqual(await readdir(root), []);
});

test('a range is read with the size of the whole file', async () => {
  await writeFile(join(root, 'f'), 'abcdef');
  const range = async (start: number, length: number) => {
    const { bytes, size } = await source.readRange('f', start, length);
    return [Buffer.from(bytes).toString(), size];
  };
  assert.deepEqual(await range(2, 3), ['cde', 6]);
  assert.deepEqual(await range(4, 30), ['ef', 6]);
  assert.deepEqual(await range(9, 3), ['', 6]);
});

test('paths and links that lead out of the volume are refused', async () => {
  await writeFile(join(top, 'secret'), 'secret');
  await symlink(join(top, 'secret'), join(root, 'link'));
  await mkdir(join(top, 'outside'));
  await symlink(join(top, 'outside'), join(root, 'folder'));
  const forbidden = { category: 'SourceForbidden' };
  for (const path of ['../secret', 'a/../../secret', '/etc/passwd', 'link', '', 'a//b', 'a\0b', './a']) {
    await assert.rejects(source.download(path, join(top, 'got')), forbidden, path);
    await assert.rejects(source.place(path, join(top, 'got')), forbidden, path);
    await assert.rejects(source.readRange(path, 0, 4), forbidden, path);
  }
  await assert.rejects(source.upload(join(top, 'secret'), 'folder/new'), forbidden);
  await assert.rejects(source.remove('../secret'), forbidden);
  assert.deepEqual(await readdir(join(top, 'outside')), []);
  assert.equal(await readFile(join(top, 'secret'), 'utf8'), 'secret');
});

test('links that stay on the volume are followed, as in the cache of the Hugging Face hub', async () => {
  await mkdir(join(root, 'blobs'));
  await writeFile(join(root, 'blobs', '1234'), '{}');
  await symlink('blobs/1234', join(root, 'config.json'));
  assert.deepEqual(
    (await source.list()).map(({ path }) => path),
    ['blobs/1234', 'config.json'],
  );
  assert.equal((await source.download('config.json', join(top, 'got'))).bytes, 2);
});

test('a placed file is the one on the volume', async () => {
  await mkdir(join(root, 'blobs'));
  await writeFile(join(root, 'blobs', 'abc'), 'weights');
  await symlink(join('blobs', 'abc'), join(root, 'model.safetensors'));
  await writeFile(join(top, 'placed'), 'what a run before left');
  await source.place('model.safetensors', join(top, 'placed'));
  assert.equal(await readlink(join(top, 'placed')), await realpath(join(root, 'blobs', 'abc')));
  assert.equal(await readFile(join(top, 'placed'), 'utf8'), 'weights');
  for (const path of ['a/b', 'blobs'])
    await assert.rejects(source.place(path, join(top, 'other')), { category: 'SourceNotFound' });
  await assert.rejects(source.place('model.safetensors', join(top, 'no', 'folder')), {
    category: 'Internal',
  });
});

test('a download replaces a link that a run before left, and never writes through it', async () => {
  await writeFile(join(root, 'model.safetensors'), 'weights');
  await writeFile(join(root, 'other'), 'other');
  const file = join(top, 'file');
  await source.place('model.safetensors', file);
  await source.download('other', file);
  assert.equal(await readFile(file, 'utf8'), 'other');
  assert.equal(await readFile(join(root, 'model.safetensors'), 'utf8'), 'weights');
});

test('what is not there is SourceNotFound and named', async () => {
  const missing = { category: 'SourceNotFound', message: 'Cannot read a/b in pvc://claim/models: ENOENT.' };
  await assert.rejects(source.download('a/b', join(top, 'got')), missing);
  const other = await openSource({ kind: 'volume', uri: 'pvc://claim/x', directory: join(top, 'x') });
  await assert.rejects(other.list(), { category: 'SourceNotFound' });
  assert.deepEqual(await source.list('nothing'), []);
  assert.equal(await source.exists('nothing'), false);
  await mkdir(join(root, 'folder'));
  await assert.rejects(source.download('folder', join(top, 'got')), { category: 'SourceNotFound' });
});

test('writing makes the folder of the location itself', async () => {
  const other = await openSource({ kind: 'volume', uri: 'pvc://claim/x/y', directory: join(root, 'x', 'y') });
  await writeFile(join(top, 'file'), 'x');
  await other.upload(join(top, 'file'), 'model.safetensors');
  assert.deepEqual(await other.list(), [{ path: 'model.safetensors', bytes: 1 }]);
});

test('a target that cannot be written is OutputError', async () => {
  await writeFile(join(root, 'taken'), 'a file');
  await writeFile(join(top, 'file'), 'x');
  await assert.rejects(source.upload(join(top, 'file'), 'taken/inside'), { category: 'OutputError' });
});

test('a full work volume is told from a broken source', async () => {
  const full = await open('/dev/full', 'w');
  const chunks = async function* () {
    yield Buffer.from('x');
  };
  await assert.rejects(writeChunks(full, '/work/f', chunks()), {
    category: 'ConfigError',
    message: 'The work volume is full: cannot write /work/f (ENOSPC).',
  });
  await full.close();
});

test('only plain relative paths are safe', () => {
  for (const path of ['a', 'a/b.c', '.hidden', 'ü +&/x', '..a']) assert.equal(isSafePath(path), true, path);
  for (const path of ['', '/', '/a', 'a/', '.', '..', 'a/..', 'a//b', 'a\\b', 'a\nb', 'x'.repeat(1025)])
    assert.equal(isSafePath(path), false, path);
});
