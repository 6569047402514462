/** Keys of a Secret that change while a run is under way. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TrainerError } from '../../../trainer-image/failure.ts';
import { openCredentials, readCredentials } from '../../../trainer-image/sources/credentials.ts';
import { openSource } from '../../../trainer-image/sources/open.ts';
import { mountSecret, startAnsweringServer, startS3Server, type TestServer } from './s3-server.ts';

let server: TestServer;
let work: string;
before(async () => {
  server = await startS3Server();
  await server.makeBucket('models');
  work = await mkdtemp(join(tmpdir(), 'finetune-keys-test-'));
});
after(async () => {
  await server.stop();
  await rm(work, { recursive: true });
});

const newDirectory = () => mkdtemp(join(work, 'keys-'));
/** Keys of which each says which version it is of. */
const keysOf = (version: string) => ({
  accessKeyId: `id-${version}`,
  secretAccessKey: `secret-${version}`,
  sessionToken: `token-${version}`,
});

test('keys that are replaced while a source is open are those of its next request', async () => {
  const credentialsDirectory = await newDirectory();
  const { accessKeyId, secretAccessKey } = server;
  await mountSecret(credentialsDirectory, { accessKeyId, secretAccessKey });
  const source = await openSource({ ...server.location('models'), credentialsDirectory });
  assert.deepEqual(await source.list(), []);
  await mountSecret(credentialsDirectory, { accessKeyId, secretAccessKey: 'withdrawn' });
  await assert.rejects(source.list(), { category: 'SourceForbidden' });
  await mountSecret(credentialsDirectory, { accessKeyId, secretAccessKey });
  assert.deepEqual(await source.list(), []);
});

for (const code of ['ExpiredToken', 'InvalidToken']) {
  test(`${code}: the request is sent again with the token that is mounted by then`, async (t) => {
    const credentialsDirectory = await newDirectory();
    await mountSecret(credentialsDirectory, keysOf('old'));
    const tokens: unknown[] = [];
    const expiring = await startAnsweringServer(async ({ headers }) => {
      tokens.push(headers['x-amz-security-token']);
      if (tokens.length > 1) return { status: 200 };
      await mountSecret(credentialsDirectory, keysOf('new'));
      return { status: 400, code };
    });
    t.after(expiring.stop);
    const { endpoint } = expiring;
    const source = await openSource({ ...server.location('models'), endpoint, credentialsDirectory });
    assert.deepEqual(await source.list(), []);
    assert.deepEqual(tokens, ['token-old', 'token-new']);
  });
}

test('a token that has expired and is not replaced is SourceForbidden, and in no text', async (t) => {
  const credentialsDirectory = await newDirectory();
  await mountSecret(credentialsDirectory, keysOf('old'));
  const expired = await startAnsweringServer(() => ({ status: 400, code: 'ExpiredToken' }));
  t.after(expired.stop);
  const { endpoint } = expired;
  const source = await openSource({ ...server.location('models'), endpoint, credentialsDirectory });
  await assert.rejects(source.list(), (error: TrainerError) => {
    assert.equal(error.category, 'SourceForbidden');
    assert.match(`${error.message} ${error.hint}`, /400 ExpiredToken[\s\S]*sessionToken, which expires/);
    assert.doesNotMatch(`${error.stack} ${error.hint}`, /secret-old|token-old/);
    return true;
  });
});

test('keys are of one version, and there, however often the Secret is replaced', async (t) => {
  const directory = await newDirectory();
  await mountSecret(directory, keysOf('0'));
  let reading = true;
  const replacing = (async () => {
    for (let version = 1; reading; version++) await mountSecret(directory, keysOf(String(version)));
  })();
  const seen = new Set<string>();
  t.after(async () => {
    reading = false;
    await replacing;
  });
  for (let reads = 0; reads < 2000; reads++) {
    const { accessKeyId, secretAccessKey, sessionToken } = await readCredentials(directory, 's3://models');
    const version = accessKeyId.slice('id-'.length);
    assert.deepEqual({ accessKeyId, secretAccessKey, sessionToken }, keysOf(version));
    seen.add(version);
  }
  assert.ok(seen.size > 20, `${seen.size} versions`);
});

test('a version that cannot be read leaves the one before it in use', async () => {
  const directory = await newDirectory();
  await mountSecret(directory, keysOf('whole'));
  const credentials = await openCredentials(directory, 's3://models');
  const accessKeyId = async () => (await credentials()).accessKeyId;
  await mountSecret(directory, { accessKeyId: 'id-torn' });
  assert.equal(await accessKeyId(), 'id-whole');
  await rm(directory, { recursive: true });
  assert.equal(await accessKeyId(), 'id-whole');
  await mountSecret(directory, keysOf('next'));
  assert.equal(await accessKeyId(), 'id-next');
});

test('a folder that no kubelet made is read as it is', async () => {
  const directory = await newDirectory();
  for (const [key, value] of Object.entries(keysOf('plain')))
    await writeFile(join(directory, key), `${value}\n`);
  assert.deepEqual(await readCredentials(directory, 's3://models'), keysOf('plain'));
  await rm(join(directory, 'accessKeyId'));
  await assert.rejects(readCredentials(directory, 's3://models'), (error) => error instanceof TrainerError);
});
