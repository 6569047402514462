import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { Client } from '../../../operator/kube/client.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { Connection } from '../../../operator/kube/connection.ts';
import { Packed } from '../../../operator/kube/packed.ts';
import { pods } from '../../../operator/kube/resources.ts';
import { type Change, Store } from '../../../operator/kube/store.ts';
import { Watch } from '../../../operator/kube/watch.ts';
import { createLog } from '../../../operator/log.ts';
import { type Fault, FaultServer } from './fault-server.ts';

const usualTimes = { timeoutSeconds: 60, idleMs: 1200, earlyMs: 200, retry: { baseMs: 20, capMs: 100 } };

/** Of a request: a list in six slow parts takes longer. */
const timeoutMs = 800;

const isOfAll = (url: URL) => url.pathname === '/api/v1/pods';
const limitOf = (url: URL) => url.searchParams.get('limit');

async function until(what: string, holds: () => boolean, limitMs = 20_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) assert.fail(`not within ${limitMs} ms: ${what}`);
    await sleep(5);
  }
}

describe('watch', () => {
  let server: FaultServer;
  let connection: Connection;
  let stop: AbortController;
  let running: Promise<void>;
  let store: Store<V1Pod>;
  let watch: Watch<V1Pod>;
  let changes: string[];
  let handlerErrors: number;
  let times: typeof usualTimes;
  let onChange: (change: Change<V1Pod>) => void;

  const known = () =>
    Object.fromEntries([...store.values()].map(({ metadata }) => [metadata!.name!, metadata!.uid!]).sort());
  const caughtUp = () =>
    until('cache equals server', () => JSON.stringify(known()) === JSON.stringify(server.state));
  const count = (kind: 'list' | 'watch') => server.requests.filter((each) => each.kind === kind).length;

  beforeEach(async () => {
    server = new FaultServer();
    connection = new Connection({ config: await server.start() });
    stop = new AbortController();
    times = { ...usualTimes };
    store = new Store<V1Pod>({});
    changes = [];
    handlerErrors = 0;
    onChange = ({ type, object }) => changes.push(`${type} ${object.metadata?.name} ${object.metadata?.uid}`);
    watch = watchOf(store);
  });

  const watchOf = (into: Store<V1Pod>) =>
    new Watch<V1Pod>({
      client: new Client({ connection, userAgent: 'test', fieldManager: 'test', timeoutMs }),
      clock: systemClock,
      log: createLog('error', true),
      observer: { listed() {}, failed() {}, event() {}, handlerFailed: () => handlerErrors++ },
      store: into,
      resource: pods,
      pageSize: 2,
      times,
      onChange: (change) => onChange(change),
    });

  afterEach(async () => {
    stop.abort();
    await running;
    await connection.close();
    server.stop();
  });

  const start = () => {
    running = watch.run(stop.signal);
  };

  it('that waits for an API server which answered nobody tries again once somebody has an answer', async () => {
    const client = new Client({ connection, userAgent: 'test', fieldManager: 'test', timeoutMs });
    const ask = () => client.get(pods, { namespace: 'n', name: 'p' }, stop.signal);
    const lists = () => server.requests.filter(({ kind, url }) => kind === 'list' && isOfAll(url)).length;
    times.retry = { baseMs: 20_000, capMs: 20_000 };
    server.faults = [{ on: 'list', how: '500' }];
    start();
    await until('the first list', () => lists() === 1);
    for (let i = 0; i < 8; i++) await ask().then(() => sleep(100));
    assert.equal(lists(), 1, 'it had an answer: another one is no reason to come back');
    for (const answerAfterMs of [0, 800]) {
      stop.abort();
      await running;
      stop = new AbortController();
      server.faults = [{ on: 'list', how: 'reset' }];
      watch = watchOf(store);
      const before = lists();
      start();
      await until('the list that fails', () => lists() === before + 1);
      await sleep(answerAfterMs);
      await ask();
      await sleep(200);
      // Half a second is the least.
      assert.equal(lists() > before + 1, answerAfterMs > 500);
      await until('synced', () => watch.hasSynced, 5000);
    }
  });

  it('takes the list in one piece, then follows', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) server.put(name, `uid-${name}`);
    start();
    await until('synced', () => watch.hasSynced);
    assert.deepEqual(known(), server.state);
    assert.equal(count('list'), 1);
    server.put('f', 'uid-f');
    server.remove('a');
    await caughtUp();
    assert.equal(count('list'), 1);
    const { url } = server.requests.at(-1)!;
    assert.equal(url.searchParams.get('allowWatchBookmarks'), 'true');
    const seconds = Number(url.searchParams.get('timeoutSeconds'));
    assert.ok(seconds >= 60 && seconds <= 120, `${seconds}`);
  });

  it('takes a list that does not come through in one piece page by page', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) server.put(name, `uid-${name}`);
    server.faults = [{ on: 'list', how: 'half-list' }];
    start();
    await until('synced', () => watch.hasSynced);
    assert.deepEqual(known(), server.state);
    const limits = server.requests.filter(({ kind }) => kind === 'list').map(({ url }) => limitOf(url));
    assert.deepEqual(limits, [null, '2', '2', '2']);
  });

  it('gives a list time for as long as something comes', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) server.put(name, `uid-${name}`);
    server.faults = [{ on: 'list', how: 'slow' }];
    const started = performance.now();
    start();
    await until('synced', () => watch.hasSynced);
    assert.equal(count('list'), 1);
    assert.ok(
      performance.now() - started > timeoutMs,
      'it took longer than an answer may let itself be awaited',
    );
    assert.deepEqual(known(), server.state);
  });

  it('packs what is cold as it arrives, not when the list is whole', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name, `uid-${name}`);
    store = new Store<V1Pod>({}, ({ metadata }) => metadata?.name !== 'b');
    watch = watchOf(store);
    const made: unknown[] = [];
    const listed = store.listed.bind(store);
    store.listed = (pod) => {
      const one = listed(pod);
      made.push([pod.metadata?.name, one.entry.kept instanceof Packed, server.isAnswering]);
      return one;
    };
    server.faults = [{ on: 'list', how: 'slow' }];
    start();
    await until('synced', () => watch.hasSynced);
    assert.deepEqual(made, [
      ['a', true, true],
      ['b', false, true],
      ['c', true, true],
    ]);
    assert.deepEqual(known(), server.state);
  });

  const listFaults: Fault['how'][] = ['500', '429', '410', 'reset', 'hang'];
  for (const how of listFaults) {
    it(`gets its first list although the server answers with ${how}`, async () => {
      for (const name of ['a', 'b', 'c']) server.put(name, `uid-${name}`);
      server.faults = [
        { on: 'list', how },
        { on: 'list', how },
      ];
      start();
      assert.equal(watch.hasSynced, false);
      await until('synced', () => watch.hasSynced);
      assert.deepEqual(server.faults, [], 'all faults were met');
      assert.deepEqual(known(), server.state);
    });
  }

  it('lists in one piece when the second page is gone', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name, `uid-${name}`);
    server.faults = [
      { on: 'list', how: 'half-list' },
      { on: 'list', how: '410', after: 1 },
    ];
    start();
    await until('synced', () => watch.hasSynced);
    assert.deepEqual(known(), server.state);
    const limits = server.requests.filter(({ kind }) => kind === 'list').map(({ url }) => limitOf(url));
    assert.deepEqual(limits, [null, '2', '2', null]);
  });

  const watchFaults: Fault['how'][] = [
    '500',
    '429',
    '410',
    'reset',
    'hang',
    'close',
    'error-event',
    'gone-event',
    'half-line',
    'silence',
  ];
  for (const how of watchFaults) {
    it(`loses nothing when the watch meets ${how}, again and again`, async () => {
      server.put('a', 'uid-a');
      server.put('b', 'uid-b');
      server.faults = Array.from({ length: 3 }, () => ({ on: 'watch', how }));
      start();
      await until('synced', () => watch.hasSynced);
      // While there is no good watch: one pod changes hands, one goes, one comes.
      server.remove('a');
      server.put('a', 'uid-a2');
      server.remove('b');
      server.put('c', 'uid-c');
      await caughtUp();
      server.put('d', 'uid-d');
      await caughtUp();
      const ofA = changes.filter((change) => change.includes(' a '));
      assert.deepEqual(ofA, ['added a uid-a', 'deleted a uid-a', 'added a uid-a2']);
      assert.ok(changes.includes('deleted b uid-b'));
      const relists = how === '410' || how === 'gone-event' ? 4 : 1;
      await until('followed after three faults', () => count('watch') === 4);
      assert.deepEqual(server.faults, [], 'all faults were met');
      assert.equal(count('list'), relists);
    });
  }

  it('waits as long as the server asks', async () => {
    server.faults = [{ on: 'list', how: '429' }];
    start();
    await until('synced', () => watch.hasSynced);
    const [first, second] = server.requests;
    assert.ok(second!.at - first!.at >= 990, `came again after ${second!.at - first!.at} ms`);
  });

  it('backs off from a server that closes each watch at once', async () => {
    server.faults = Array.from({ length: 100 }, () => ({ on: 'watch', how: 'close' }));
    start();
    await until('20 watches', () => count('watch') >= 20);
    const watches = server.requests.filter(({ kind }) => kind === 'watch');
    const tookMs = watches[19]!.at - watches[0]!.at;
    // Waits of at least half of 20, 40, 80, then 100 ms each.
    assert.ok(tookMs > 70 + 15 * 50, `20 watches in ${tookMs} ms`);
  });

  it('lists anew after a compaction', async () => {
    server.put('a', 'uid-a');
    server.faults = [{ on: 'watch', how: 'reset' }];
    start();
    await until('synced', () => watch.hasSynced);
    server.put('b', 'uid-b');
    server.remove('a');
    server.compact();
    await caughtUp();
    assert.ok(count('list') >= 2);
  });

  it('lists anew when it meets an object that it cannot read, and then passes over nothing', async () => {
    let isBroken = true;
    const listed = store.listed.bind(store);
    store.listed = (pod) => {
      if (pod.metadata?.name === 'b' && isBroken) throw new Error('on purpose');
      return listed(pod);
    };
    start();
    await until('synced', () => watch.hasSynced);
    server.put('b', 'uid-b');
    server.put('c', 'uid-c');
    await until('more lists', () => count('list') > 2);
    isBroken = false;
    await caughtUp();
    assert.deepEqual(changes.sort(), ['added b uid-b', 'added c uid-c']);
  });

  it('survives a handler that throws', async () => {
    onChange = () => {
      throw new Error('on purpose');
    };
    server.put('a', 'uid-a');
    start();
    await until('synced', () => watch.hasSynced);
    server.put('b', 'uid-b');
    await caughtUp();
    assert.equal(handlerErrors, 2);
  });

  it('ends at once when told to', async () => {
    start();
    await until('watching', () => count('watch') === 1);
    const begun = performance.now();
    stop.abort();
    await running;
    assert.ok(performance.now() - begun < times.idleMs, 'it waited for the server');
  });
});
