import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CoreV1Event, KubeConfig } from '@kubernetes/client-node';
import { Client } from '../../../operator/kube/client.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { Connection } from '../../../operator/kube/connection.ts';
import { EventRecorder } from '../../../operator/kube/events.ts';
import { createLog } from '../../../operator/log.ts';

const object = {
  apiVersion: 'finetune.dev/v1alpha1',
  kind: 'FineTuneJob',
  metadata: { name: 'job', namespace: 'n', uid: 'uid' },
};
const nameOf = ({ body }: { body: CoreV1Event }) => body.metadata?.name;
const text = { type: 'Normal' as const, reason: 'Succeeded', message: 'All is well.' };

describe('events', () => {
  let server: Server;
  let connection: Connection;
  let options: ConstructorParameters<typeof EventRecorder>[0];
  let recorder: EventRecorder;
  let dropped: number;
  let received: { method: string; path: string; body: CoreV1Event }[];
  /** Status of the next answers; 201 when there is none left, 0 = it is done and nothing is answered. */
  let answers: number[];
  /** What a 429 asks for, in seconds. */
  let retryAfter: string;
  /** When the requests came. */
  let times: number[];
  /** Requests without an answer, now and at most. */
  let underWay: { now: number; most: number };

  beforeEach(async () => {
    [received, times, retryAfter] = [[], [], '1'];
    answers = [];
    underWay = { now: 0, most: 0 };
    dropped = 0;
    server = createServer(async (request, response) => {
      times.push(performance.now());
      const chunks: Buffer[] = [];
      underWay.most = Math.max(underWay.most, ++underWay.now);
      for await (const chunk of request) chunks.push(chunk as Buffer);
      await sleep(20);
      underWay.now--;
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as CoreV1Event;
      const isThere = received.some((one) => request.method === 'POST' && nameOf(one) === nameOf({ body }));
      const status = isThere ? 409 : (answers.shift() ?? 201);
      if (status < 300) received.push({ method: request.method!, path: request.url!.split('?')[0]!, body });
      if (status === 0) return void response.destroy();
      response.writeHead(status, status === 429 ? { 'retry-after': retryAfter } : {});
      const reason = isThere ? 'AlreadyExists' : '';
      response.end(JSON.stringify(status < 300 ? body : { code: status, reason }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const config = new KubeConfig();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' });
    connection = new Connection({ config });
    options = {
      client: new Client({ connection, userAgent: 'test', fieldManager: 'test', timeoutMs: 1000 }),
      clock: systemClock,
      log: createLog('error', true),
      component: 'operator',
      instance: 'pod',
      onDrop: (count) => {
        dropped += count;
      },
    };
    recorder = new EventRecorder(options);
  });
  afterEach(async () => {
    await connection.close();
    server.close();
  });

  it('tell about the object', async () => {
    recorder.record(object, text);
    await recorder.flush(5000);
    const [event] = received;
    assert.equal(event?.path, '/api/v1/namespaces/n/events');
    assert.deepEqual(event?.body.involvedObject, {
      apiVersion: 'finetune.dev/v1alpha1',
      kind: 'FineTuneJob',
      name: 'job',
      namespace: 'n',
      uid: 'uid',
    });
    assert.equal(event?.body.reason, 'Succeeded');
    assert.equal(event?.body.count, 1);
    assert.match(event?.body.metadata.name ?? '', /^job\.[0-9a-f]{16}$/);
  });

  it('that repeat are counted up in one object', async () => {
    recorder.record(object, text);
    recorder.record(object, text);
    await recorder.flush(5000);
    recorder.record(object, text);
    await recorder.flush(5000);
    assert.deepEqual(
      received.map(({ method, body }) => `${method} ${body.count}`),
      ['POST 1', 'PATCH 2', 'PATCH 3'].slice(0, received.length),
    );
    assert.equal(received.at(-1)?.body.count, 3);
    assert.equal(received.filter(({ method }) => method === 'POST').length, 1);
    assert.ok(received.at(-1)?.path.endsWith(received[0]!.body.metadata.name!));
  });

  it('of many objects go four at a time', async () => {
    for (let i = 0; i < 10; i++) recorder.record({ ...object, metadata: { name: 'job', uid: `${i}` } }, text);
    await recorder.flush(5000);
    assert.equal(received.length, 10);
    assert.equal(underWay.most, 4);
  });

  it('that come while the last ones are just done are sent at once', async () => {
    for (let steps = 0; steps < 20; steps++) {
      const sent: unknown[] = [];
      const { promise: answer, resolve } = Promise.withResolvers<void>();
      const create = (_: unknown, event: unknown) => answer.finally(() => sent.push(event));
      const client = { create } as unknown as Client;
      const own = new EventRecorder({ ...options, client });
      for (let i = 0; i < 4; i++) own.record({ ...object, metadata: { uid: `${i}` } }, text);
      resolve();
      for (let step = 0; step < steps; step++) await undefined;
      own.record(object, text);
      await sleep(1);
      assert.equal(sent.length, 5, `recorded after ${steps} steps`);
    }
  });

  it('that expired on the server are made anew', async () => {
    recorder.record(object, text);
    await recorder.flush(5000);
    answers = [404];
    recorder.record(object, text);
    await recorder.flush(5000);
    assert.deepEqual(
      received.map(({ method }) => method),
      ['POST', 'POST'],
    );
  });

  it('are tried again when the server is ill, and given up when it does not want them', async () => {
    answers = [500, 503];
    recorder.record(object, text);
    await recorder.flush(10_000);
    assert.equal(received.length, 1);
    answers = [403];
    recorder.record(object, { ...text, reason: 'Other' });
    await recorder.flush(5000);
    assert.equal(received.length, 1);
    assert.deepEqual(answers, []);
  });

  it('that were stored without an answer are not made a second time, and count as sent', async () => {
    answers = [0];
    recorder.record(object, text);
    await recorder.flush(10_000);
    assert.deepEqual([times.length, received.length, dropped], [2, 1, 0]);
    recorder.record(object, text);
    await recorder.flush(5000);
    assert.deepEqual(
      received.map(({ method, body }) => `${method} ${body.count}`),
      ['POST 1', 'PATCH 2'],
    );
    assert.ok(received[1]?.path.endsWith(nameOf(received[0]!)!));
  });

  it('wait as long as the server asks, and not at the stop', async () => {
    answers = [429];
    retryAfter = '2';
    recorder.record(object, text);
    await recorder.flush(10_000);
    assert.equal(received.length, 1);
    const [first = 0, second = 0] = times;
    assert.ok(second - first >= 1990, `the second try came after ${second - first} ms`);

    answers = [429];
    retryAfter = '300';
    recorder.record(object, { ...text, reason: 'Other' });
    const begun = performance.now();
    await recorder.flush(300);
    assert.ok(performance.now() - begun < 5000);
    assert.equal(dropped, 1);
  });

  it('of one object are cut when they become a flood, and others go through', async () => {
    for (let i = 0; i < 100; i++) recorder.record(object, { ...text, message: `number ${i}` });
    recorder.record({ ...object, metadata: { ...object.metadata, uid: 'other' } }, text);
    await recorder.flush(10_000);
    assert.equal(received.length, 26);
    assert.equal(dropped, 75);
  });

  it('carry one line without control characters, and not too long a one', async () => {
    recorder.record(object, { ...text, message: `a\u001b[31m red\nline\u202e${'x'.repeat(5000)}` });
    await recorder.flush(5000);
    const message = received[0]?.body.message ?? '';
    assert.ok(message.startsWith('a [31m red line x'), message.slice(0, 30));
    assert.equal(message.length, 1024);
  });

  it('wait no longer than they may at the end', async () => {
    const most = 100;
    answers = Array.from({ length: most }, () => 500);
    recorder.record(object, text);
    await recorder.flush(300);
    assert.equal(dropped, 1);
    const tries = most - answers.length;
    assert.ok(tries < 4, `${tries} tries, as many as without a limit`);
  });
});
