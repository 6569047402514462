import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../../operator/kube/clock.ts';
import { Leader, leaseTimes } from '../../../operator/kube/leader.ts';
import { createLog } from '../../../operator/log.ts';
import { random as dice } from '../decide/dice.ts';
import { FakeClock } from '../fake-clock.ts';
import { type Fate, LeaseServer } from './lease-server.ts';

const times = leaseTimes(15);
/** Between the last write of a leader and the first of the next: for a write that is on its way. */
const marginMs = times.durationMs - times.renewDeadlineMs;
/** As the client of the lease gives up a request. */
const requestMs = times.renewDeadlineMs / 2;
const never = new AbortController().signal;

class Replica {
  readonly leader: Leader;
  /** Of its next requests; the last one is that of all that follow. */
  fates: Fate[] = ['well'];
  requests = 0;
  /** Whether the lease was kept to the end; undefined = still at it. */
  kept: boolean | undefined;

  constructor(identity: string, server: LeaseServer, clock: Clock, fate?: () => Fate) {
    this.leader = new Leader({
      client: server.client(() => {
        this.requests++;
        return fate?.() ?? (this.fates.length > 1 ? this.fates.shift()! : this.fates[0]!);
      }),
      clock,
      log: createLog('error', true),
      namespace: 'n',
      name: 'lease',
      identity,
      times,
    });
  }

  /** One life of a process: takes the lease, keeps it until it is lost. */
  async run(signal: AbortSignal = never): Promise<void> {
    if (await this.leader.acquire(signal)) this.kept = await this.leader.keep(signal);
  }
}

/** A network that is well for some time, then ill for some time. */
function networkOf(random: () => number, clock: Clock): () => Fate {
  const fates: Fate[] = ['well', 'hang', 'hang-committed', 'refused', 'lost-answer', 'late'];
  let until = 0;
  let isIll = true;
  return () => {
    if (clock.now() >= until) {
      isIll = !isIll;
      until = clock.now() + random() * 25_000;
    }
    return isIll ? fates[Math.floor(random() * fates.length)]! : 'well';
  };
}

function start() {
  const clock = new FakeClock();
  const server = new LeaseServer(clock, requestMs);
  const [first, second] = ['first', 'second'].map((name) => new Replica(name, server, clock)) as [
    Replica,
    Replica,
  ];
  return { clock, server, first, second };
}

describe('leader', () => {
  const illnesses: Record<string, Fate[]> = {
    hang: ['hang'],
    'hang after one whose answer is late': ['late', 'hang'],
    // What is read then tells that the lease is held, not until when.
    'hang after one that was stored and not answered': ['hang-committed', 'well', 'well', 'hang'],
  };
  for (const [name, fates] of Object.entries(illnesses)) {
    it(`stops writing a third of the lease before anybody may take it, when its renewals ${name}`, async () => {
      const { clock, first, second } = start();
      void first.run();
      await clock.advance(5000);
      assert.ok(first.leader.mayWrite());
      void second.run();
      await clock.advance(5000);
      first.fates = [...fates];
      const ill = clock.now();
      let [lastOfFirst, lostAt] = [0, 0];
      while (!second.leader.mayWrite()) {
        if (first.leader.mayWrite()) lastOfFirst = clock.now();
        await clock.advance(50);
        if (first.kept === undefined) lostAt = clock.now();
        assert.ok(clock.now() - ill < times.durationMs + 4 * times.retryMs, 'the other one takes over');
      }
      assert.ok(
        clock.now() - lastOfFirst >= marginMs,
        `${clock.now() - lastOfFirst} ms between their writes`,
      );
      assert.equal(first.kept, false);
      assert.ok(lostAt - lastOfFirst <= 100, 'it does not wait for the answer that does not come');
      assert.ok(
        lastOfFirst - ill > times.renewDeadlineMs - 2 * times.retryMs,
        'it wrote as long as it might',
      );
    });
  }

  it('is followed after a crash when the lease has run out, which was seen at most one retry after its renewal', async () => {
    const { clock, first, second } = start();
    void first.run();
    await clock.advance(5000);
    void second.run();
    await clock.advance(5000);
    const requests = first.requests;
    while (first.requests === requests) await clock.advance(10);
    // It crashes right after a renewal.
    first.fates = ['hang'];
    const crashed = clock.now();
    while (!second.leader.mayWrite()) {
      await clock.advance(10);
      assert.ok(clock.now() - crashed <= times.durationMs + times.retryMs + 20, 'within lease and retry');
    }
    assert.ok(clock.now() - crashed >= times.durationMs - 20, 'not before the lease ran out');
  });

  it('leaves room between two writers whatever happens to their requests', async () => {
    let changes = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const clock = new FakeClock();
      const server = new LeaseServer(clock, requestMs);
      const end = new AbortController();
      /** The process that runs in each of three places now. */
      const running: Replica[] = [];
      const live = async (place: number) => {
        const network = networkOf(dice(seed * 3 + place), clock);
        for (let life = 0; !end.signal.aborted; life++) {
          // A process that lost its lease ends; the next one has a name of its own.
          const replica = new Replica(`${place}-${life}`, server, clock, network);
          running[place] = replica;
          await replica.run(end.signal);
        }
      };
      for (const place of [0, 1, 2]) void live(place);
      let last: { place: number; at: number } | undefined;
      while (clock.now() < 180_000) {
        await clock.advance(200);
        const place = running.findIndex(({ leader }) => leader.mayWrite());
        if (place === -1) continue;
        assert.equal(running.filter(({ leader }) => leader.mayWrite()).length, 1, `seed ${seed}`);
        if (last !== undefined && last.place !== place) {
          const between = clock.now() - last.at;
          assert.ok(between >= marginMs, `seed ${seed}: ${between} ms between two writers at ${clock.now()}`);
          changes++;
        }
        last = { place, at: clock.now() };
      }
      end.abort();
      await clock.advance(60_000);
    }
    assert.ok(changes > 40, `the lease changed hands ${changes} times`);
  });

  it('writes nothing after it was paused, and does not try to renew what others may hold', async () => {
    const { clock, first } = start();
    void first.run();
    await clock.advance(5000);
    const { requests } = first;
    clock.jump(times.renewDeadlineMs);
    assert.equal(first.leader.mayWrite(), false, 'before any timer ran');
    await clock.advance(times.retryMs);
    assert.equal(first.kept, false);
    assert.equal(first.requests, requests);
  });

  it('keeps the lease when the wall clock jumps, and takes none because of it', async (t) => {
    const { clock, first, second } = start();
    t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') });
    void first.run();
    await clock.advance(3000);
    void second.run();
    for (const date of ['2027-01-01T00:00:00Z', '2001-01-01T00:00:00Z']) {
      t.mock.timers.setTime(Date.parse(date));
      await clock.advance(30_000);
      assert.deepEqual([first.leader.mayWrite(), second.leader.mayWrite()], [true, false]);
    }
  });

  it('outlives a renewal that hangs or is refused', async () => {
    for (const fate of ['hang', 'hang-committed', 'refused', 'lost-answer'] as const) {
      const { clock, first } = start();
      void first.run();
      await clock.advance(3000);
      first.fates = [fate];
      await clock.advance(times.retryMs);
      first.fates = ['well'];
      await clock.advance(60_000);
      assert.equal(first.leader.mayWrite(), true, fate);
      assert.equal(first.kept, undefined, fate);
    }
  });

  it('lets go of the lease also when the stop gives up a renewal that is stored', async () => {
    // The second one finds no lease any more, and what makes it anew is not answered.
    for (const isRemoved of [false, true]) {
      const { clock, server, first } = start();
      const end = new AbortController();
      const life = first.run(end.signal);
      await clock.advance(3000);
      if (isRemoved) server.remove();
      first.fates = ['hang-committed'];
      await clock.advance(times.retryMs);
      assert.equal(server.holder, 'first');
      end.abort();
      await life;
      first.fates = ['well'];
      await first.leader.release(never);
      assert.equal(server.holder, '');
    }
  });

  it('leaves a lease alone that somebody else took before the stop, or that is gone', async () => {
    const { clock, server, first, second } = start();
    await first.leader.acquire(never);
    void second.run();
    await clock.advance(times.durationMs + 2 * times.retryMs);
    assert.equal(server.holder, 'second');
    await first.leader.release(never);
    assert.equal(server.holder, 'second');
    await clock.advance(60_000);
    assert.equal(second.kept, undefined);
    server.remove();
    await second.leader.release(never);
    assert.equal(server.holder, undefined);
  });
});
