import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubernetesObject } from '@kubernetes/client-node';
import { type Clock, wait } from '../../../operator/kube/clock.ts';
import { ApiError } from '../../../operator/kube/errors.ts';
import { Leader, leaseTimes } from '../../../operator/kube/leader.ts';
import type { Lease } from '../../../operator/kube/lease.ts';
import { createLog } from '../../../operator/log.ts';
import { random as dice } from '../decide/dice.ts';
import { FakeClock } from '../fake-clock.ts';

const times = leaseTimes(15);
/** Between the last write of a leader and the first of the next: for a write that is on its way. */
const marginMs = times.durationMs - times.renewDeadlineMs;
const never = new AbortController().signal;

/** What may happen to a request: nothing, no answer, an error before or after the write, an answer that comes late. */
type Fate = 'well' | 'hang' | 'refused' | 'lost-answer' | 'late';

/** One Lease, guarded by its version as the API server does it. */
class LeaseServer {
  readonly #clock: Clock;
  #lease: Lease | undefined;
  #version = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The way of one replica to it. */
  client(fate: () => Fate) {
    const answer = async (signal: AbortSignal, write: () => Lease): Promise<never> => {
      const what = fate();
      if (what === 'refused') throw new ApiError('Unavailable', 'refused');
      // As the client does it for the lease: half of the time in which it must be renewed.
      if (what === 'hang') await wait(this.#clock, times.renewDeadlineMs / 2, signal);
      if (what === 'hang') throw new ApiError('Unavailable', 'no answer');
      const lease = structuredClone(write());
      if (what === 'late') await wait(this.#clock, 4000, signal);
      if (what === 'lost-answer' || signal.aborted) throw new ApiError('Unavailable', 'no answer');
      return lease as never;
    };
    return {
      get: (_resource: unknown, _ref: unknown, signal: AbortSignal) =>
        answer(signal, () => {
          if (this.#lease === undefined) throw new ApiError('NotFound', 'no lease');
          return this.#lease;
        }),
      create: (_resource: unknown, lease: KubernetesObject, signal: AbortSignal) =>
        answer(signal, () => {
          if (this.#lease !== undefined) throw new ApiError('AlreadyExists', 'there is one');
          return this.#store(lease);
        }),
      replace: (_resource: unknown, lease: KubernetesObject, signal: AbortSignal) =>
        answer(signal, () => {
          if (lease.metadata?.resourceVersion !== this.#lease?.metadata.resourceVersion)
            throw new ApiError('Conflict', 'changed meanwhile');
          return this.#store(lease);
        }),
    };
  }

  #store(lease: KubernetesObject): Lease {
    this.#lease = structuredClone(lease) as Lease;
    this.#lease.metadata.resourceVersion = `${++this.#version}`;
    return this.#lease;
  }
}

class Replica {
  readonly leader: Leader;
  fate: Fate = 'well';
  requests = 0;
  /** Whether the lease was kept to the end; undefined = still at it. */
  kept: boolean | undefined;

  constructor(identity: string, server: LeaseServer, clock: Clock, fate?: () => Fate) {
    this.leader = new Leader({
      client: server.client(() => {
        this.requests++;
        return fate?.() ?? this.fate;
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
  const fates: Fate[] = ['well', 'hang', 'refused', 'lost-answer', 'late'];
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
  const server = new LeaseServer(clock);
  const [first, second] = ['first', 'second'].map((name) => new Replica(name, server, clock)) as [
    Replica,
    Replica,
  ];
  return { clock, server, first, second };
}

describe('leader', () => {
  it('stops writing a third of the lease before anybody may take it, when its renewals hang', async () => {
    const { clock, first, second } = start();
    void first.run();
    await clock.advance(5000);
    assert.ok(first.leader.mayWrite());
    void second.run();
    await clock.advance(5000);
    first.fate = 'hang';
    const hung = clock.now();
    let [lastOfFirst, lostAt] = [0, 0];
    while (!second.leader.mayWrite()) {
      if (first.leader.mayWrite()) lastOfFirst = clock.now();
      await clock.advance(50);
      if (first.kept === undefined) lostAt = clock.now();
      assert.ok(clock.now() - hung < times.durationMs + 2 * times.retryMs, 'the other one takes over');
    }
    assert.ok(clock.now() - lastOfFirst >= marginMs, `${clock.now() - lastOfFirst} ms between their writes`);
    assert.equal(first.kept, false);
    assert.ok(lostAt - lastOfFirst <= 100, 'it does not wait for the answer that does not come');
    assert.ok(lastOfFirst - hung > times.renewDeadlineMs - 2 * times.retryMs, 'it wrote as long as it might');
  });

  it('leaves room between two writers whatever happens to their requests', async () => {
    let changes = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const clock = new FakeClock();
      const server = new LeaseServer(clock);
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
    for (const fate of ['hang', 'refused', 'lost-answer'] as const) {
      const { clock, first } = start();
      void first.run();
      await clock.advance(3000);
      first.fate = fate;
      await clock.advance(times.retryMs);
      first.fate = 'well';
      await clock.advance(60_000);
      assert.equal(first.leader.mayWrite(), true, fate);
      assert.equal(first.kept, undefined, fate);
    }
  });
});
