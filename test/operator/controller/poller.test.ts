import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { Client } from 'undici';
import { Poller } from '../../../operator/controller/poller.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { createLog } from '../../../operator/log.ts';
import { identity, progressAt, TrainerStub } from './trainer-stub.ts';

const publishMs = 400;
const target = { ...identity, ip: '127.0.0.1' };

describe('poller', () => {
  let stub: TrainerStub;
  let poller: Poller;
  let stop: AbortController;
  let running: Promise<void>;
  let results: string[];
  let answers: number[];
  let published: { key: string; at: number; step: number | undefined }[];
  /** Of how many trainers the interval was asked for. */
  let counted: number[];
  /** What the clock said last: a busy machine may come between the poller's look at it and what the test sees of it. */
  let now: number;

  beforeEach(async () => {
    stub = new TrainerStub();
    stop = new AbortController();
    results = [];
    answers = [];
    published = [];
    counted = [];
    poller = new Poller({
      clock: {
        ...systemClock,
        now: () => {
          now = systemClock.now();
          return now;
        },
      },
      log: createLog('error', true),
      pollMs: 40,
      publishMs: (trainers) => {
        counted.push(trainers);
        return publishMs;
      },
      timeoutMs: 300,
      concurrency: 2,
      port: await stub.start('0.0.0.0'),
      onPoll: (result) => results.push(result),
      onAnswer: (_, value) => answers.push(value.step),
      onPublish: (key) => {
        const step = poller.progressOf(identity.jobUid)?.value.step;
        published.push({ key, at: now, step });
      },
    });
    running = poller.run(stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await running;
    stub.stop();
  });

  const until = async (holds: () => boolean) => {
    for (let i = 0; i < 1000 && !holds(); i++) await sleep(5);
    assert.ok(holds());
  };

  it('publishes the first answer at once, and later ones at most once per interval', async () => {
    let step = 0;
    stub.answer = (_, response) => response.end(JSON.stringify(progressAt(++step)));
    poller.target('n/job', identity.jobUid, target);
    await until(() => published.length >= 3 && answers.length > 10);
    assert.equal(published[0]?.step, answers[0]);
    const good = results.filter((result) => result === 'ok').length;
    assert.equal(answers.length, good, 'every answer is seen by the metrics');
    for (const [i, { at, key }] of published.entries()) {
      assert.equal(key, 'n/job');
      if (i > 0) assert.ok(at - published[i - 1]!.at >= publishMs, `${at - published[i - 1]!.at} ms apart`);
    }
  });

  it('publishes an answer that says nothing new seldom', async () => {
    stub.body = JSON.stringify(progressAt(5));
    poller.target('n/job', identity.jobUid, target);
    await until(() => published.length === 2);
    assert.ok(answers.length > 2);
    assert.ok(published[1]!.at - published[0]!.at >= publishMs * 6);
  });

  it('counts bad answers and passes none on', async () => {
    stub.body = 'garbage';
    poller.target('n/job', identity.jobUid, target);
    await until(() => results.length >= 3);
    assert.deepEqual([...new Set(results)], ['invalid']);
    assert.equal(poller.progressOf(identity.jobUid), undefined);
    assert.deepEqual(published, []);
  });

  it('asks the others while two trainers hang', async () => {
    stub.answer = () => {};
    for (const uid of ['slow-1', 'slow-2', 'slow-3']) {
      poller.target(`n/${uid}`, uid, { ...target, jobUid: uid });
    }
    await sleep(50);
    stub.body = JSON.stringify(progressAt(5));
    poller.target('n/job', identity.jobUid, target);
    await until(() => published.length === 1);
    assert.equal(poller.progressOf(identity.jobUid)?.value.step, 5);
    assert.equal(counted.at(-1), 4, 'the interval is that for so many trainers');
  });

  it('drops what it knows with the pod, and asks no more without a target', async () => {
    stub.body = JSON.stringify(progressAt(5));
    poller.target('n/job', identity.jobUid, target);
    await until(() => published.length === 1);
    poller.target('n/job', identity.jobUid, { ...target, podUid: 'next' });
    assert.equal(poller.progressOf(identity.jobUid), undefined);
    await until(() => results.includes('stranger'));
    poller.target('n/job', identity.jobUid, undefined);
    await sleep(100);
    const { asked } = stub;
    await sleep(200);
    assert.equal(stub.asked, asked);
  });

  it('keeps what it knows when the same target is set again', async () => {
    stub.body = JSON.stringify(progressAt(5));
    poller.target('n/job', identity.jobUid, target);
    await until(() => published.length === 1);
    poller.target('n/job', identity.jobUid, { ...target });
    assert.equal(poller.progressOf(identity.jobUid)?.value.step, 5);
  });

  it('keeps nothing of trainers that were lost, however their last question ended', async () => {
    const before = queryObjects(Client, { format: 'count' });
    for (const [answer, why] of [
      [() => {}, 'unreachable'],
      [(_, response) => response.end(' '.repeat(100_000)), 'toolarge'],
    ] satisfies [RequestListener, string][]) {
      stub.answer = answer;
      const uids = Array.from({ length: 10 }, (_, i) => `lost-${i + 2}`);
      for (const [i, uid] of uids.entries()) {
        poller.target(`n/${uid}`, uid, { ...target, jobUid: uid, ip: `127.0.0.${i + 2}` });
      }
      await until(() => results.filter((result) => result === why).length >= uids.length);
      for (const uid of uids) poller.target(`n/${uid}`, uid, undefined);
    }
    await sleep(100);
    const left = queryObjects(Client, { format: 'count' }) - before;
    assert.ok(left < 5, `${left} clients are left`);
  });

  it('keeps its connection from one question to the next', async () => {
    stub.body = JSON.stringify(progressAt(5));
    poller.target('n/job', identity.jobUid, target);
    await until(() => results.length >= 5);
    assert.equal(stub.connections, 1);
  });
});
