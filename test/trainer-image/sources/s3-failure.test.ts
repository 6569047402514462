/** Answers of a server that another try may turn into success. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openSource } from '../../../trainer-image/sources/open.ts';
import { s3Failure } from '../../../trainer-image/sources/s3-failure.ts';
import type { Source } from '../../../trainer-image/sources/source.ts';
import { startAnsweringServer } from './s3-server.ts';

let work: string;
before(async () => {
  work = await mkdtemp(join(tmpdir(), 'finetune-s3-failure-test-'));
});
after(() => rm(work, { recursive: true }));

const sourceAt = (endpoint: string): Promise<Source> =>
  openSource({ kind: 's3', uri: 's3://models', endpoint, bucket: 'models', prefix: '', region: 'us-east-1' });
const attempt = {
  action: 'write',
  endpoint: 'http://s3',
  bucket: 'models',
  region: 'us-east-1',
  key: 'a',
  signed: true,
};
const answered = (status: number, code: string) =>
  s3Failure(Object.assign(new Error(code), { name: code, $metadata: { httpStatusCode: status } }), attempt);

const passing: [number, string][] = [
  [400, 'RequestTimeout'],
  [400, 'IncompleteBody'],
  [400, 'Throttling'],
  [409, 'OperationAborted'],
];
for (const [status, code] of passing) {
  test(`${status} ${code} passes: the request is sent again`, async (t) => {
    let requests = 0;
    const server = await startAnsweringServer(() => (++requests === 1 ? { status, code } : { status: 200 }));
    t.after(server.stop);
    const source = await sourceAt(server.endpoint);
    assert.deepEqual(await source.list(), []);
    assert.equal(requests, 2);
    requests = 0;
    await writeFile(join(work, 'file'), 'content');
    await source.upload(join(work, 'file'), 'file');
    assert.equal(requests, 2);
  });
}

for (const [status, code] of [...passing, [404, 'NoSuchUpload'] as const]) {
  test(`${status} ${code} to the end is SourceUnavailable, which is tried again`, () => {
    const { category, message } = answered(status, code);
    assert.equal(category, 'SourceUnavailable');
    assert.match(message, new RegExp(`Cannot write "a" in bucket "models" at http://s3: ${status} ${code}`));
  });
}

test('a server that never stops saying so is asked as often as any other that is busy', async (t) => {
  let requests = 0;
  const server = await startAnsweringServer(() => {
    requests += 1;
    return { status: 409, code: 'OperationAborted' };
  });
  t.after(server.stop);
  await assert.rejects((await sourceAt(server.endpoint)).list(), {
    category: 'SourceUnavailable',
    message: /409 OperationAborted after 5 tries/,
  });
  assert.equal(requests, 5);
});

test('other answers of these kinds stay final', async (t) => {
  const final = { 'ConfigError 400': 'InvalidArgument', 'ConfigError 409': 'BucketNotEmpty' };
  for (const [want, code] of Object.entries(final)) {
    const [category, status] = want.split(' ');
    assert.equal(answered(Number(status), code).category, category);
  }
  assert.equal(answered(404, 'NoSuchKey').category, 'SourceNotFound');
  let requests = 0;
  const server = await startAnsweringServer(() => {
    requests += 1;
    return { status: 400, code: 'InvalidArgument' };
  });
  t.after(server.stop);
  await assert.rejects((await sourceAt(server.endpoint)).list(), { category: 'ConfigError' });
  assert.equal(requests, 1);
});
