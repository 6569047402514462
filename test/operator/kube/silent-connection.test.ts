import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { Client } from '../../../operator/kube/client.ts';
import { Connection } from '../../../operator/kube/connection.ts';
import { isKind } from '../../../operator/kube/errors.ts';
import { pods } from '../../../operator/kube/resources.ts';
import { Certificates } from '../../cluster/certificates.ts';

const directory = mkdtempSync(join(tmpdir(), 'finetune-silent-'));
const certificates = new Certificates(directory);

/** As the API server does, it takes HTTP/2 from whoever offers it. */
const server = createSecureServer({ allowHTTP1: true }, (_, response) => {
  response.end('{"metadata":{"name":"p"}}');
});

/** What lies between: it forwards nothing any more on connections that it has lost, and tells nobody. */
const lost = new Set<Socket>();
const open = new Set<Socket>();
const between = createServer((near) => {
  const far = connect(portOf(server), '127.0.0.1');
  for (const socket of [near, far]) {
    open.add(socket);
    socket.on('error', () => {});
  }
  near.on('data', (bytes) => lost.has(near) || far.write(bytes));
  far.on('data', (bytes) => lost.has(near) || near.write(bytes));
  near.on('close', () => far.destroy());
});

const portOf = (one: { address(): ReturnType<Server['address']> }) => (one.address() as AddressInfo).port;

before(async () => {
  await certificates.ensure({ server: { commonName: 'server', names: ['127.0.0.1'] } });
  const [key, cert] = [certificates.key('server'), certificates.certificate('server')];
  server.setSecureContext({ key: readFileSync(key), cert: readFileSync(cert) });
  for (const one of [server, between]) {
    await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
  }
});
after(() => {
  for (const socket of open) socket.destroy();
  between.close();
  server.close();
  rmSync(directory, { recursive: true });
});

test('a connection that falls silent costs the requests that are under way, and none after them', async () => {
  const config = new KubeConfig();
  const url = `https://127.0.0.1:${portOf(between)}`;
  config.loadFromClusterAndUser(
    { name: 'c', server: url, caFile: certificates.authority, skipTLSVerify: false },
    { name: 'u' },
  );
  const connection = new Connection({ config, connections: 1 });
  const client = new Client({ connection, userAgent: 'test', fieldManager: 'test', timeoutMs: 500 });
  const get = () => client.get(pods, { namespace: 'n', name: 'p' }, new AbortController().signal);
  try {
    await get();
    for (const socket of open) lost.add(socket);
    await assert.rejects(get(), (error) => isKind(error, 'Unavailable'));
    await get();
  } finally {
    await connection.close();
  }
});
