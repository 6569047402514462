import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '../../operator/config.ts';
import { Operator } from '../../operator/controller/operator.ts';
import { decide } from '../../operator/decide/decide.ts';
import { createLog } from '../../operator/log.ts';
import { serveProbes } from '../../operator/probes.ts';
import { FaultServer } from './kube/fault-server.ts';

describe('probes', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());
  const serve = async (changes: Partial<Parameters<typeof serveProbes>[1]> = {}) => {
    server = await serveProbes(0, {
      stuck: () => [],
      missing: () => [],
      async *metrics() {
        yield 'a 1\n';
        yield 'b 2\n';
      },
      ...changes,
    });
    const { port } = server.address() as AddressInfo;
    return async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
      return { status: response.status, text: await response.text() };
    };
  };

  it('say what is stuck and what is missing, each on its own path', async () => {
    const problems = { stuck: [] as string[], missing: [] as string[] };
    const get = await serve({ stuck: () => problems.stuck, missing: () => problems.missing });
    for (const path of ['/healthz', '/readyz', '/readyz?verbose'])
      assert.deepEqual(await get(path), { status: 200, text: 'ok\n' });
    problems.missing.push('pods: not listed yet', 'jobs: not listed yet');
    assert.deepEqual(await get('/readyz'), {
      status: 503,
      text: 'pods: not listed yet\njobs: not listed yet\n',
    });
    assert.equal((await get('/healthz')).status, 200);
    problems.stuck.push('a pass takes 200000 ms');
    assert.deepEqual(await get('/healthz'), { status: 503, text: 'a pass takes 200000 ms\n' });
  });

  it('answer other paths and methods, and an answer that fails', async () => {
    const get = await serve({
      stuck: () => {
        throw new Error('defect');
      },
    });
    assert.equal((await get('/')).status, 404);
    assert.equal((await get('/metrics', 'POST')).status, 405);
    assert.deepEqual(await get('/metrics'), { status: 200, text: 'a 1\nb 2\n' });
    assert.equal((await get('/healthz')).status, 500);
    assert.equal((await get('/readyz')).status, 200, 'it goes on');
  });

  it('give no half of a scrape for a whole one', async () => {
    const get = await serve({
      async *metrics() {
        yield 'a 1\n';
        throw new Error('defect');
      },
    });
    await assert.rejects(get('/metrics'));
    assert.equal((await get('/healthz')).status, 200);
  });

  it('fail where the port is taken', async () => {
    await serve();
    const { port } = server!.address() as AddressInfo;
    const answers = { stuck: () => [], missing: () => [], async *metrics() {} };
    await assert.rejects(serveProbes(port, answers), { code: 'EADDRINUSE' });
  });

  it('of an operator call it alive, and ready only once everything is listed', async () => {
    const api = new FaultServer();
    const kubeConfig = await api.start();
    // One of each is not answered; the next try is.
    api.faults = Array.from({ length: 4 }, () => ({ on: 'list', how: 'hang' }));
    const flags = ['--port=0', '--leader-elect=false', '--api-timeout-seconds=1'];
    const config = readConfig(flags, {});
    const log = createLog('error', true);
    const operator = new Operator({ config, kubeConfig, log, version: '0.0.0', decide });
    const ended = operator.run();
    try {
      while (operator.port === undefined) await sleep(5);
      const get = (path: string) => fetch(`http://127.0.0.1:${operator.port}${path}`);
      const early = await get('/readyz');
      assert.equal(early.status, 503);
      assert.deepEqual((await early.text()).trim().split('\n').sort(), [
        'finetunejobs: not listed yet',
        'finetuneruntimes: not listed yet',
        'jobs: not listed yet',
        'pods: not listed yet',
      ]);
      assert.equal((await get('/healthz')).status, 200);
      const end = performance.now() + 20_000;
      while ((await get('/readyz')).status !== 200) {
        assert.ok(performance.now() < end, 'it gets ready');
        await sleep(50);
      }
    } finally {
      operator.stop();
      assert.equal(await ended, true);
      api.stop();
    }
  });
});
