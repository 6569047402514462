import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { downloadFolder, uploadFolder } from '../../../trainer-image/sources/folder.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';
import { freePort, startBreakingProxy, startS3Server, type TestServer } from './s3-server.ts';

let server: TestServer;
let work: string;
before(async () => {
  server = await startS3Server();
  await server.makeBucket('models');
  work = await mkdtemp(join(tmpdir(), 'finetune-s3-test-'));
});
after(async () => {
  await server.stop();
  await rm(work, { recursive: true });
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const failsWith =
  (category: string, ...parts: (string | RegExp)[]) =>
  (error: unknown) => {
    assert.ok(error instanceof TrainerError, String(error));
    const text = `${error.message}\n${error.hint}\n${error.stack}`;
    assert.equal(error.category, category, text);
    for (const part of parts)
      assert.ok(typeof part === 'string' ? text.includes(part) : part.test(text), `${part} in: ${text}`);
    assert.ok(!text.includes(server.secretAccessKey), 'the secret is not printed');
    return true;
  };

test('a folder goes up, is listed, and comes back byte for byte', async () => {
  const source = await openSource(server.location('models', 'runs/one'));
  const from = join(work, 'from');
  await mkdir(join(from, 'deep'), { recursive: true });
  await writeFile(join(from, 'a.txt'), 'alpha');
  await writeFile(join(from, 'deep', 'b ü+&.bin'), randomBytes(70_000));
  await writeFile(join(from, 'empty'), '');
  await uploadFolder(source, from, 'x', { last: 'a.txt' });
  assert.deepEqual(await source.list(), [
    { path: 'x/a.txt', bytes: 5 },
    { path: 'x/deep/b ü+&.bin', bytes: 70_000 },
    { path: 'x/empty', bytes: 0 },
  ]);
  assert.deepEqual(await source.list('not there'), []);
  const got = await downloadFolder(source, 'x', join(work, 'to'));
  assert.deepEqual(
    got.map(({ path }) => path),
    ['a.txt', 'deep/b ü+&.bin', 'empty'],
  );
  for (const { path, bytes, sha256: digest } of got) {
    const want = await readFile(join(from, path));
    const content = await readFile(join(work, 'to', path));
    assert.ok(content.equals(want));
    assert.equal(bytes, want.length);
    assert.equal(digest, sha256(want));
  }
});

test('a file above the part size goes up in parts', async () => {
  const source = await openSource(server.location('models', 'large'));
  const content = randomBytes(70 * 1024 * 1024);
  await writeFile(join(work, 'large.bin'), content);
  await source.upload(join(work, 'large.bin'), 'large.bin');
  const got = await source.download('large.bin', join(work, 'large.back'));
  await source.place('large.bin', join(work, 'large.placed'));
  assert.ok((await readFile(join(work, 'large.placed'))).equals(await readFile(join(work, 'large.back'))));
  assert.deepEqual(got, { bytes: content.length, sha256: sha256(content) });
  const range = await source.readRange('large.bin', 40_000_000, 1000);
  assert.equal(range.size, content.length);
  assert.ok(Buffer.from(range.bytes).equals(content.subarray(40_000_000, 40_001_000)));
  const end = await source.readRange('large.bin', content.length - 10, 1000);
  assert.equal(end.bytes.length, 10);
  assert.equal((await source.readRange('large.bin', content.length, 10)).bytes.length, 0);
  await source.remove('large.bin');
  assert.equal(await source.exists('large.bin'), false);
  await source.remove('large.bin');
});

test('more than a page of objects is listed whole', async () => {
  const folder = join(server.directory, 'models', 'many');
  await mkdir(folder);
  const names = Array.from({ length: 1203 }, (_, index) => `f${String(index).padStart(5, '0')}`);
  for (const name of names) await writeFile(join(folder, name), 'x');
  const source = await openSource(server.location('models', 'many'));
  assert.deepEqual(
    (await source.list()).map(({ path }) => path),
    names,
  );
});

test('a download goes on where the connection broke', async () => {
  const content = randomBytes(8 * 1024 * 1024);
  await writeFile(join(work, 'resumed'), content);
  await (await openSource(server.location('models'))).upload(join(work, 'resumed'), 'resumed');
  const proxy = await startBreakingProxy(server.endpoint, { bytes: 2_000_000, breaks: 3 });
  const source = await openSource({ ...server.location('models'), endpoint: proxy.endpoint });
  const got = await source.download('resumed', join(work, 'resumed.back'));
  proxy.stop();
  assert.equal(proxy.broken(), 3);
  assert.deepEqual(got, { bytes: content.length, sha256: sha256(content) });
});

test('an object that changes while it is read is never mixed', async () => {
  const direct = await openSource(server.location('models'));
  for (const name of ['first', 'second']) await writeFile(join(work, name), randomBytes(4 * 1024 * 1024));
  await direct.upload(join(work, 'first'), 'changing');
  const onBreak = () => direct.upload(join(work, 'second'), 'changing');
  const proxy = await startBreakingProxy(server.endpoint, { bytes: 1_000_000, breaks: 1, onBreak });
  const source = await openSource({ ...server.location('models'), endpoint: proxy.endpoint });
  await assert.rejects(
    source.download('changing', join(work, 'changing.back')),
    failsWith('SourceUnavailable', 'changed while it was read'),
  );
  proxy.stop();
});

test('a connection that always breaks is SourceUnavailable and leaves no part behind', async () => {
  await writeFile(join(work, 'never'), randomBytes(1024 * 1024));
  await (await openSource(server.location('models'))).upload(join(work, 'never'), 'never');
  const proxy = await startBreakingProxy(server.endpoint, {
    bytes: 10_000,
    breaks: Number.POSITIVE_INFINITY,
  });
  const source = await openSource({ ...server.location('models'), endpoint: proxy.endpoint });
  await assert.rejects(
    source.download('never', join(work, 'never.back')),
    failsWith('SourceUnavailable', 'never'),
  );
  proxy.stop();
  await assert.rejects(readFile(join(work, 'never.back')), { code: 'ENOENT' });
});

test('a download replaces a link, and never writes through it', async () => {
  const source = await openSource(server.location('models'));
  for (const name of ['new', 'kept']) await writeFile(join(work, name), name);
  await source.upload(join(work, 'new'), 'new');
  await symlink(join(work, 'kept'), join(work, 'link'));
  await source.download('new', join(work, 'link'));
  assert.equal(await readFile(join(work, 'link'), 'utf8'), 'new');
  assert.equal(await readFile(join(work, 'kept'), 'utf8'), 'kept');
});

test('a missing object names bucket, key and endpoint', async () => {
  const source = await openSource(server.location('models', 'p'));
  const want = failsWith('SourceNotFound', '"p/nope.json"', '"models"', server.endpoint);
  await assert.rejects(source.download('nope.json', join(work, 'nope')), want);
  await assert.rejects(source.readRange('nope.json', 0, 8), want);
  assert.equal(await source.exists('nope.json'), false);
});

test('a missing bucket is named', async () => {
  const source = await openSource(server.location('no-such-bucket'));
  await assert.rejects(source.list(), failsWith('SourceNotFound', 'no bucket "no-such-bucket"'));
  await assert.rejects(
    downloadFolder(await openSource(server.location('models', 'empty')), '', work),
    failsWith('SourceNotFound', 's3://models/empty'),
  );
});

test('a wrong secret and a wrong key are SourceForbidden', async () => {
  for (const wrong of ['accessKeyId', 'secretAccessKey']) {
    const directory = await mkdtemp(join(work, 'keys-'));
    for (const key of ['accessKeyId', 'secretAccessKey'])
      await writeFile(
        join(directory, key),
        key === wrong ? 'wrong-value' : await readFile(join(server.credentialsDirectory, key)),
      );
    const source = await openSource({ ...server.location('models'), credentialsDirectory: directory });
    const want = failsWith('SourceForbidden', 'models', /refused the credentials \(40[34]/);
    await assert.rejects(source.list(), want);
    await assert.rejects(source.exists('a'), want);
    await assert.rejects(source.upload(join(work, 'from', 'a.txt'), 'a'), want);
  }
});

test('an unsigned request to a private bucket says that a Secret is needed', async () => {
  const { credentialsDirectory: _, ...location } = server.location('models');
  const source = await openSource(location);
  await assert.rejects(source.list(), failsWith('SourceForbidden', 'unsigned', 'credentialsSecretRef'));
});

test('a Secret without a key is SourceForbidden before any request', async () => {
  const directory = await mkdtemp(join(work, 'keys-'));
  await writeFile(join(directory, 'accessKeyId'), 'abc');
  await writeFile(join(directory, 'secretAccessKey'), '\n');
  await assert.rejects(
    openSource({ ...server.location('models'), credentialsDirectory: directory }),
    failsWith('SourceForbidden', 'no secretAccessKey'),
  );
});

test('a refused connection says after how many tries it gave up', async () => {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const source = await openSource({ ...server.location('models'), endpoint });
  await assert.rejects(
    source.list(),
    failsWith('SourceUnavailable', 'ECONNREFUSED', 'after 5 tries', endpoint),
  );
});

test('a server that answers 503 is tried again, then SourceUnavailable', async () => {
  let requests = 0;
  const http = createServer((_, response) => {
    requests += 1;
    response.writeHead(503).end('<Error><Code>SlowDown</Code><Message>later</Message></Error>');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const source = await openSource({ ...server.location('models'), endpoint });
  await assert.rejects(source.list(), failsWith('SourceUnavailable', '503 SlowDown', 'after 5 tries'));
  assert.equal(requests, 5);
  http.close();
  http.closeAllConnections();
});

test('https where the server speaks http is ConfigError', async () => {
  const endpoint = server.endpoint.replace('http:', 'https:');
  const source = await openSource({ ...server.location('models'), endpoint });
  await assert.rejects(source.list(), failsWith('ConfigError', 'TLS', 'http or https'));
});
