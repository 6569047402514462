import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { Agent } from 'undici';
import { Client } from '../../../operator/kube/client.ts';
import { Connection } from '../../../operator/kube/connection.ts';
import { isKind } from '../../../operator/kube/errors.ts';
import { RateLimit } from '../../../operator/kube/rate-limit.ts';
import { pods } from '../../../operator/kube/resources.ts';
import { Certificates } from '../../cluster/certificates.ts';
import { FakeClock } from '../fake-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'finetune-client-'));
const never = new AbortController().signal;
const ref = { namespace: 'n', name: 'p' };

/** A server certificate and the authority that signed it. */
async function authority(name: string): Promise<{ ca: string; key: string; cert: string }> {
  const certificates = new Certificates(join(directory, name));
  await certificates.ensure({ server: { commonName: name, names: ['127.0.0.1'] } });
  const [ca, key, cert] = [
    certificates.authority,
    certificates.key('server'),
    certificates.certificate('server'),
  ];
  return { ca: readFileSync(ca, 'utf8'), key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

describe('client over TLS', () => {
  let old: Awaited<ReturnType<typeof authority>>;
  let next: typeof old;
  const caFile = join(directory, 'ca.crt');
  const tokenFile = join(directory, 'token');
  let server: Server;
  let handshakes: number;
  let tokens: Set<string>;
  let hang: boolean;
  let connections: number;
  let now: number;
  let connection: Connection;
  let client: Client;
  let allowed: boolean;
  /** Tokens that the server refuses. */
  let refused: string[];

  before(async () => {
    old = await authority('old');
    next = await authority('next');
    server = createServer(old, (request, response) => {
      tokens.add(request.headers.authorization ?? '');
      if (refused.includes(request.headers.authorization ?? '')) response.writeHead(401).end('{}');
      else if (!hang) response.end('{"metadata":{"name":"p"}}');
    });
    server.on('secureConnection', () => handshakes++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    [handshakes, connections, now, hang, allowed, tokens] = [0, 0, 0, false, true, new Set()];
    refused = [];
    server.setSecureContext(old);
    writeFileSync(caFile, old.ca);
    writeFileSync(tokenFile, 'first\n');
    const config = new KubeConfig();
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    config.loadFromClusterAndUser(
      { name: 'c', server: url, caFile, skipTLSVerify: false },
      { name: 'u', authProvider: { name: 'tokenFile', config: { tokenFile } } },
    );
    connection = new Connection({ config, onConnect: () => connections++, now: () => now });
    client = clientOf(10_000);
  });
  afterEach(() => connection.close());
  const clientOf = (timeoutMs: number, limit?: RateLimit) =>
    new Client({
      ...(limit && { limit }),
      connection,
      userAgent: 'test',
      fieldManager: 'test',
      timeoutMs,
      mayWrite: () => allowed,
    });

  it('shakes hands a few times for many requests', async () => {
    const work = async () => {
      for (let i = 0; i < 50; i++) await client.get(pods, ref, never);
    };
    await Promise.all([work(), work(), work(), work()]);
    assert.ok(handshakes <= 10, `${handshakes} handshakes for 200 requests`);
    assert.equal(connections, handshakes);
  });

  it('follows a new authority without a restart, and keeps its connections when nothing changed', async () => {
    for (let i = 0; i < 5; i++) await client.get(pods, ref, never);
    const before = handshakes;
    now += 60_000;
    for (let i = 0; i < 5; i++) await client.get(pods, ref, never);
    assert.equal(handshakes, before, 'the same authority, the same connections');
    server.setSecureContext(next);
    server.closeAllConnections();
    now += 60_000;
    await assert.rejects(client.get(pods, ref, never), (error) => isKind(error, 'Unavailable'));
    writeFileSync(caFile, next.ca);
    now += 60_000;
    await client.get(pods, ref, never);
  });

  /** The configuration, whose credentials are read as `read` says. */
  const configOf = (read: () => Promise<void>): KubeConfig => {
    const config = new KubeConfig();
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    config.loadFromClusterAndUser({ name: 'c', server: url, caFile, skipTLSVerify: false }, { name: 'u' });
    const apply = config.applyToHTTPSOptions.bind(config);
    config.applyToHTTPSOptions = async (options) => {
      await read();
      return apply(options);
    };
    return config;
  };

  it('reads credentials once for all who ask at the same time, also when they changed', async () => {
    let reads = 0;
    const config = configOf(async () => {
      reads++;
      await sleep(20);
    });
    await connection.close();
    connection = new Connection({ config, now: () => now });
    const dispatchers = async () =>
      new Set(
        await Promise.all(Array.from({ length: 10 }, async () => (await connection.access()).dispatcher)),
      );
    const [first, ...others] = await dispatchers();
    assert.deepEqual([others.length, reads], [0, 1]);
    writeFileSync(caFile, next.ca);
    now += 60_000;
    const [second, ...more] = await dispatchers();
    assert.deepEqual([more.length, reads], [0, 2]);
    assert.notEqual(second, first);
    await sleep(0);
    assert.equal((first as Agent).closed, true);
    assert.equal((second as Agent).closed, false);
  });

  it('gives up on credentials that hang, and asks for them anew', async () => {
    let reads = 0;
    const config = configOf(() => (++reads === 1 ? new Promise(() => {}) : Promise.resolve()));
    await connection.close();
    connection = new Connection({ config, now: () => now });
    await assert.rejects(clientOf(100).get(pods, ref, never), (error) => {
      assert.match(String(error), /no answer within 100 ms/);
      return isKind(error, 'Unavailable');
    });
    const caller = new AbortController();
    const request = clientOf(10_000).get(pods, ref, caller.signal);
    setTimeout(() => caller.abort(), 20);
    await assert.rejects(request, (error) => isKind(error, 'Aborted'));
    now += 60_000;
    await clientOf(10_000).get(pods, ref, never);
    assert.equal(reads, 2);
  });

  it('does without credentials that cannot be read for a moment', async () => {
    await client.get(pods, ref, never);
    rmSync(caFile);
    now += 60_000;
    await client.get(pods, ref, never);
    assert.deepEqual([...tokens], ['Bearer first']);
  });

  it('takes a new token within seconds, and at once where the old one is refused', async () => {
    await client.get(pods, ref, never);
    writeFileSync(tokenFile, 'second\n');
    now += 11_000;
    await client.get(pods, ref, never);
    writeFileSync(tokenFile, 'third\n');
    refused = ['Bearer first', 'Bearer second'];
    await assert.rejects(client.get(pods, ref, never), (error) => isKind(error, 'Unauthorized'));
    await client.get(pods, ref, never);
    assert.deepEqual([...tokens], ['Bearer first', 'Bearer second', 'Bearer third']);
  });

  it('gives up on a server that hangs, and when its caller does', async () => {
    hang = true;
    const begun = performance.now();
    await assert.rejects(clientOf(400).get(pods, ref, never), (error) => {
      assert.match(String(error), /GET \/api\/v1\/namespaces\/n\/pods\/p: no answer within 400 ms/);
      return isKind(error, 'Unavailable');
    });
    assert.ok(performance.now() - begun < 8000);
    const caller = new AbortController();
    const request = client.get(pods, ref, caller.signal);
    setTimeout(() => caller.abort(), 20);
    await assert.rejects(request, (error) => isKind(error, 'Aborted'));
  });

  it('sends no more requests than its limit lets through', async () => {
    const clock = new FakeClock();
    const limited = clientOf(10_000, new RateLimit(clock, 10, 2));
    let answers = 0;
    const asked = Array.from({ length: 3 }, () => limited.get(pods, ref, never).then(() => answers++));
    await Promise.all(asked.slice(0, 2));
    await sleep(50);
    assert.equal(answers, 2);
    await clock.advance(100);
    await asked[2];
    const caller = new AbortController();
    const waits = limited.get(pods, ref, caller.signal);
    caller.abort();
    await assert.rejects(waits, 'a caller that gives up does not wait for its turn');
  });

  it('sends no write once it may not, and still reads', async () => {
    allowed = false;
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'n', name: 'p' } };
    const refused = (error: unknown) => isKind(error, 'Aborted');
    await assert.rejects(client.create(pods, pod, never), refused);
    await assert.rejects(client.replace(pods, pod, never, 'status'), refused);
    await assert.rejects(client.patch(pods, ref, {}, never), refused);
    await assert.rejects(client.delete(pods, ref, { uid: 'uid' }, never), refused);
    assert.equal(handshakes, 0);
    await client.get(pods, ref, never);
  });
});
