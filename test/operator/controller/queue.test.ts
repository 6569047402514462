import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Heap } from '../../../operator/controller/heap.ts';
import { Queue } from '../../../operator/controller/queue.ts';
import { FakeClock, settled } from '../fake-clock.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function bytesInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function start(workers?: number) {
  const clock = new FakeClock();
  const counts = { added: 0, retried: 0, waited: [] as number[], worked: [] as number[] };
  const queue = new Queue({
    clock,
    backoff: { baseMs: 100, capMs: 10_000 },
    random: () => 1,
    ...(workers === undefined ? {} : { workers }),
    observer: {
      added: () => counts.added++,
      retried: () => counts.retried++,
      started: (ms) => counts.waited.push(ms),
      finished: (ms) => counts.worked.push(ms),
    },
  });
  /** Keys handed out so far, by a worker that never gives them back. */
  const taken: (string | undefined)[] = [];
  const take = async (times = 1) => {
    for (let i = 0; i < times; i++) void queue.next().then((key) => taken.push(key));
    await settled();
  };
  return { clock, queue, counts, taken, take };
}

describe('queue', () => {
  it('waits longer than a timer can', async () => {
    const { clock, queue, taken, take } = start();
    const year = 365 * 86_400_000;
    queue.add('a', year);
    await take();
    await clock.advance(year - 1);
    assert.deepEqual(taken, []);
    await clock.advance(1);
    assert.deepEqual(taken, ['a']);
  });

  it('hands out a key once, however often it was added', async () => {
    const { queue, taken, take, counts } = start();
    queue.add('a');
    queue.add('a');
    queue.add('b');
    await take(3);
    assert.deepEqual(taken, ['a', 'b']);
    assert.equal(counts.added, 2);
  });

  it('gives a key that is added while it is worked on to nobody until it is done, and then again', async () => {
    const { queue, taken, take } = start();
    queue.add('a');
    await take(2);
    queue.add('a');
    await settled();
    assert.deepEqual(taken, ['a']);
    queue.done('a');
    await settled();
    assert.deepEqual(taken, ['a', 'a']);
    queue.done('a');
    await take();
    assert.deepEqual(taken, ['a', 'a'], 'it came again once, not for ever');
  });

  it('keeps the earlier of two times', async () => {
    const { clock, queue, taken, take } = start();
    queue.add('a', 1000);
    queue.add('a', 300);
    queue.add('a', 5000);
    await take();
    await clock.advance(299);
    assert.deepEqual(taken, []);
    await clock.advance(1);
    assert.deepEqual(taken, ['a']);
    queue.done('a');
    await take();
    await clock.advance(10_000);
    assert.deepEqual(taken, ['a'], 'the later times are void');
  });

  it('brings a delayed key that fell due while it was worked on once it is done', async () => {
    const { clock, queue, taken, take } = start();
    queue.add('a');
    await take(2);
    queue.add('a', 50);
    await clock.advance(60);
    assert.deepEqual(taken, ['a']);
    queue.done('a');
    await settled();
    assert.deepEqual(taken, ['a', 'a']);
  });

  it('waits longer after each failure in a row, and forgets', async () => {
    const { clock, queue, taken, take, counts } = start();
    await take(4);
    for (const wait of [100, 200, 400]) {
      const before = taken.length;
      queue.retry('a');
      await clock.advance(wait - 1);
      assert.equal(taken.length, before, `not before ${wait}`);
      await clock.advance(1);
      assert.equal(taken.length, before + 1);
      queue.done('a');
    }
    queue.forget('a');
    queue.retry('a');
    await clock.advance(100);
    assert.equal(taken.length, 4);
    assert.equal(counts.retried, 4);
  });

  it('waits as long as a server asks', async () => {
    const { clock, queue, taken, take } = start();
    await take();
    queue.retry('a', 4000);
    await clock.advance(3999);
    assert.deepEqual(taken, []);
    await clock.advance(1);
    assert.deepEqual(taken, ['a']);
  });

  it('cuts its own wait short for news, and not the one that a server asked for', async () => {
    const { clock, queue, taken, take } = start();
    await take(4);
    queue.retry('a');
    queue.add('a');
    await settled();
    assert.deepEqual(taken, ['a'], 'an ordinary back-off');
    queue.add('a');
    queue.retry('a', 4000);
    queue.done('a');
    for (const lane of ['new', 'ordinary', 'small'] as const) queue.addTo(lane, 'a');
    queue.add('a', 10);
    await clock.advance(3999);
    assert.deepEqual(taken, ['a'], 'news before it, and while it was worked on');
    await clock.advance(1);
    assert.deepEqual(taken, ['a', 'a']);
    queue.done('a');
    queue.add('a');
    await settled();
    assert.deepEqual(taken, ['a', 'a', 'a'], 'the wait is over');
  });

  it('wakes all that wait, once and after what is due, and not before a server allows it', async () => {
    const { clock, queue, taken, take } = start();
    for (const key of ['far', 'farther']) queue.add(key, 1e9);
    queue.retry('asked', 4000);
    queue.wake();
    queue.wake();
    queue.add('now');
    await take(5);
    assert.deepEqual(taken, ['now', 'far', 'farther']);
    queue.add('far', 1e9);
    queue.wake();
    queue.done('far');
    await settled();
    assert.deepEqual(taken.slice(3), ['far'], 'one that is worked on comes again');
    await clock.advance(4000);
    assert.deepEqual(taken.slice(4), ['asked']);
  });

  it('brings a key with news after the wait of the server, where its own would be longer', async () => {
    const { clock, queue, taken, take } = start();
    for (let failures = 0; failures < 6; failures++) queue.retry('a');
    await clock.advance(10_000);
    await take(2);
    queue.retry('a', 1000);
    queue.done('a');
    await clock.advance(500);
    queue.add('a');
    await clock.advance(499);
    assert.deepEqual(taken, ['a']);
    await clock.advance(1);
    assert.deepEqual(taken, ['a', 'a']);
  });

  it('serves other namespaces at once while all passes of two hang', async () => {
    const { clock, queue, counts } = start(16);
    const hangMs = 30_000;
    const waits: number[] = [];
    const addedAt = new Map<string, number>();
    const work = async () => {
      for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
        const mine = key;
        if (mine.startsWith('healthy')) {
          waits.push(clock.now() - addedAt.get(mine)!);
          await new Promise<void>((resolve) => clock.after(250, resolve));
        } else {
          await new Promise<void>((resolve) => clock.after(hangMs, resolve));
          queue.retry(mine);
        }
        queue.done(mine);
      }
    };
    for (let i = 0; i < 16; i++) void work();
    for (let i = 0; i < 100; i++) for (const team of ['one', 'two']) queue.addTo('new', `${team}/job-${i}`);
    for (let i = 0; i < 100; i++) {
      addedAt.set(`healthy/${i}`, clock.now());
      queue.add(`healthy/${i}`);
      await clock.advance(1000);
    }
    assert.equal(waits.length, 100);
    assert.equal(Math.max(...waits), 0);
    const hung = counts.worked.filter((ms) => ms === hangMs).length;
    assert.ok(hung >= 3 * 8, `${hung} passes of the others ended in 100 s`);
    queue.stop();
  });

  it('gives one namespace half of the workers, and the rest to those that come', async () => {
    const { queue, taken, take } = start(4);
    for (let i = 0; i < 4; i++) queue.add(`team/${i}`);
    await take(4);
    assert.deepEqual(taken, ['team/0', 'team/1']);
    assert.equal(queue.depth, 2);
    queue.add('other/0');
    await settled();
    assert.deepEqual(taken.slice(2), ['other/0']);
    queue.done('other/0');
    await settled();
    assert.deepEqual(taken.slice(3), [], 'two are held, two are left free');
    queue.done('team/0');
    await settled();
    assert.deepEqual(taken.slice(3), ['team/2']);
  });

  it('leaves its only worker to everybody', async () => {
    const { queue, taken, take } = start(1);
    queue.add('team/0');
    queue.add('team/1');
    await take();
    queue.done('team/0');
    await take();
    assert.deepEqual(taken, ['team/0', 'team/1']);
  });

  it('lets namespaces have it by turns, however much one of them brings', async () => {
    const { queue, taken, take } = start();
    for (let i = 0; i < 3; i++) queue.add(`flood/${i}`);
    queue.add('other/0');
    queue.add('other/1');
    await take(5);
    assert.deepEqual(taken, ['flood/0', 'other/0', 'flood/1', 'other/1', 'flood/2']);
  });

  it('hands out what is new before the rest, and what is of small worth last', async () => {
    const { queue, taken, take } = start();
    queue.addTo('small', 'progress');
    assert.equal(queue.isBusy, false);
    queue.add('old');
    assert.equal(queue.isBusy, true);
    queue.addTo('new', 'first');
    queue.addTo('new', 'second');
    await take(4);
    assert.deepEqual(taken, ['first', 'second', 'old', 'progress']);
  });

  it('gives each lane a turn in eight, whatever flood is before it', async () => {
    const { queue, taken, take } = start();
    queue.addTo('small', 'progress');
    queue.add('old');
    for (let i = 0; i < 20; i++) queue.addTo('new', `new-${i}`);
    await take(20);
    assert.equal(taken.indexOf('old'), 7);
    assert.equal(taken.indexOf('progress'), 8);
  });

  it('lets a key change to a better lane, and to no worse one', async () => {
    const { queue, taken, take, counts } = start();
    queue.addTo('small', 'a');
    queue.add('b');
    queue.addTo('new', 'a');
    queue.addTo('small', 'a');
    await take(2);
    assert.deepEqual(taken, ['a', 'b']);
    assert.equal(counts.added, 2);
  });

  it('gives a key that failed no right of way', async () => {
    const { clock, queue, taken, take } = start();
    queue.retry('failing');
    queue.add('old');
    queue.addTo('new', 'failing');
    await clock.advance(0);
    await take(2);
    assert.deepEqual(taken, ['old', 'failing']);
  });

  it('serves healthy keys while one fails all the time', async () => {
    const { clock, queue } = start();
    const passes = new Map<string, number>();
    const work = async () => {
      for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
        passes.set(key, (passes.get(key) ?? 0) + 1);
        if (key === 'poison') queue.retry(key);
        else queue.add(key, 1000);
        queue.done(key);
      }
    };
    void work();
    queue.add('poison');
    for (let i = 0; i < 100; i++) queue.add(`healthy-${i}`);
    await clock.advance(60_000);
    assert.equal(passes.get('healthy-99'), 61);
    assert.ok((passes.get('poison') ?? 0) < 20, `${passes.get('poison')} passes in a minute`);
    queue.stop();
  });

  it('measures waiting and work, and shows what is under way', async () => {
    const { clock, queue, take, counts } = start();
    queue.add('a');
    assert.equal(queue.depth, 1);
    await clock.advance(30);
    await take();
    await clock.advance(70);
    assert.deepEqual(queue.working, [70]);
    assert.equal(queue.depth, 0);
    queue.done('a');
    assert.deepEqual(counts.waited, [30]);
    assert.deepEqual(counts.worked, [70]);
    assert.deepEqual(queue.working, []);
  });

  it('keeps no time of a far deadline for each pass before it', async () => {
    const { queue, clock, taken, take, counts } = start();
    const week = 7 * 86_400_000;
    const before = bytesInUse();
    const passes = 50_000;
    for (let i = 0; i < passes; i++) {
      for (const key of ['a', 'b']) queue.add(key, week - i);
      queue.addTo('small', 'a');
      queue.done((await queue.next())!);
    }
    // The test's own notes of each pass are not the queue's.
    Object.assign(counts, { waited: [], worked: [] });
    const more = bytesInUse() - before;
    assert.ok(more < 2e6, `${more} bytes more after ${passes} passes`);
    await take(2);
    assert.deepEqual(taken, []);
    await clock.advance(week);
    assert.deepEqual(taken, ['b'], 'the one that still waits comes in its time');
  });

  it('lets all workers go when it is stopped', async () => {
    const { queue, taken, take } = start();
    await take(2);
    queue.stop();
    queue.add('a');
    await take();
    assert.deepEqual(taken, [undefined, undefined, undefined]);
  });
});

describe('heap', () => {
  it('gives back in order what came in any order', () => {
    const heap = new Heap();
    let seed = 7;
    const times = Array.from({ length: 500 }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % 100;
    });
    for (const at of times) heap.push({ at, key: `${at}` });
    const out = times.map(() => heap.shift()?.at);
    assert.deepEqual(
      out,
      [...times].sort((a, b) => a - b),
    );
    assert.equal(heap.shift(), undefined);
  });
});
