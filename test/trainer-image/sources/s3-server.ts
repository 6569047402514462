/** A real S3 server for tests of the sources, a connection to it that breaks, one that answers what it is told, and keys. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Location } from '../../../crds/trainer-contract.ts';
import { binary, ensureBinaries } from '../../cluster/binaries.ts';
import { type S3Server, s3Command, waitForS3 } from '../../cluster/s3.ts';

export type TestServer = S3Server & {
  /** Folder with the mounted keys. */
  credentialsDirectory: string;
  location(bucket: string, prefix?: string): Extract<Location, { kind: 's3' }>;
  makeBucket(name: string): Promise<void>;
  stop(): Promise<void>;
};

export async function startS3Server(): Promise<TestServer> {
  await ensureBinaries(['versitygw']);
  const root = await mkdtemp(join(tmpdir(), 'finetune-s3-'));
  const directory = join(root, 'buckets');
  await mkdir(directory);
  const server: S3Server = {
    endpoint: `http://127.0.0.1:${await freePort()}`,
    accessKeyId: randomBytes(8).toString('hex'),
    secretAccessKey: randomBytes(16).toString('hex'),
    region: 'us-east-1',
    directory,
  };
  const { args, env } = s3Command(server);
  const child = spawn(binary('versitygw'), args, { env, stdio: 'ignore' });
  await waitForS3(server, '', async () => child.exitCode === null);
  const credentialsDirectory = join(root, 'keys');
  await mkdir(credentialsDirectory);
  await writeFile(join(credentialsDirectory, 'accessKeyId'), `${server.accessKeyId}\n`);
  await writeFile(join(credentialsDirectory, 'secretAccessKey'), server.secretAccessKey);
  return {
    ...server,
    credentialsDirectory,
    location: (bucket, prefix = '') => ({
      kind: 's3',
      uri: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`,
      endpoint: server.endpoint,
      bucket,
      prefix,
      region: server.region,
      credentialsDirectory,
    }),
    makeBucket: async (name) => {
      await mkdir(join(directory, name));
    },
    stop: async () => {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await rm(root, { recursive: true });
    },
  };
}

/** A TCP connection to `endpoint` that breaks after `bytes` of each of the first `breaks` answers larger than that. */
export async function startBreakingProxy(
  endpoint: string,
  options: { bytes: number; breaks: number; onBreak?: () => Promise<void> },
): Promise<{ endpoint: string; broken(): number; stop(): void }> {
  const { hostname, port } = new URL(endpoint);
  let broken = 0;
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    let sent = 0;
    server.on('data', (chunk) => {
      sent += chunk.length;
      if (sent > options.bytes && broken < options.breaks) {
        broken += 1;
        server.destroy();
        (options.onBreak?.() ?? Promise.resolve()).finally(() => client.resetAndDestroy());
      } else client.write(chunk);
    });
    server.on('end', () => client.end());
    server.on('error', () => client.destroy());
    client.on('data', (chunk) => server.write(chunk));
    client.on('error', () => server.destroy());
    client.on('close', () => server.destroy());
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    broken: () => broken,
    stop: () => proxy.close(),
  };
}

/** A server that answers each request with what `answer` gives: a status, and a code of S3 where it is an error. */
export async function startAnsweringServer(
  answer: (
    request: IncomingMessage,
  ) => { status: number; code?: string } | Promise<{ status: number; code?: string }>,
): Promise<{ endpoint: string; stop(): void }> {
  const http = createHttpServer(async (request, response) => {
    request.resume();
    const { status, code } = await answer(request);
    const error = `<Error><Code>${code}</Code><Message>as the test wants it</Message></Error>`;
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(code === undefined ? '<ListBucketResult></ListBucketResult>' : error);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    stop: () => {
      http.close();
      http.closeAllConnections();
    },
  };
}

/** Mounts keys as the kubelet does, also over those that are there: each version in a folder of its own behind a link. */
export async function mountSecret(directory: string, keys: Record<string, string>): Promise<void> {
  await mkdir(directory, { recursive: true });
  const link = join(directory, '..data');
  const before = await readlink(link).catch(() => undefined);
  const version = `..${randomBytes(8).toString('hex')}`;
  await mkdir(join(directory, version));
  for (const [key, value] of Object.entries(keys)) {
    await writeFile(join(directory, version, key), value);
    await symlink(join('..data', key), join(directory, key)).catch(() => {});
  }
  await symlink(version, join(directory, '..data_tmp'));
  await rename(join(directory, '..data_tmp'), link);
  if (before !== undefined) await rm(join(directory, before), { recursive: true });
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
