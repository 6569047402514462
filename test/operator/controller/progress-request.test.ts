import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Agent } from 'undici';
import { askProgress } from '../../../operator/controller/progress-request.ts';
import { identity, progressAt, TrainerStub } from './trainer-stub.ts';

describe('a question to the trainer', () => {
  const stub = new TrainerStub();
  const dispatcher = new Agent();
  let port: number;
  before(async () => {
    port = await stub.start();
  });
  after(async () => {
    stub.stop();
    await dispatcher.destroy();
  });

  const ask = (timeoutMs = 3000) =>
    askProgress({ ...identity, ip: '127.0.0.1' }, { dispatcher, port, timeoutMs });
  const why = async (timeoutMs?: number) => {
    const answer = await ask(timeoutMs);
    return answer.ok ? 'ok' : answer.why;
  };

  it('brings its progress', async () => {
    stub.body = JSON.stringify(progressAt(7));
    assert.deepEqual(await ask(), { ok: true, value: progressAt(7) });
  });

  const text = JSON.stringify(progressAt(7));
  const bodies: Record<string, [string, string]> = {
    'no JSON': ['<html>', 'invalid'],
    nothing: ['', 'invalid'],
    'half of it': [text.slice(0, 50), 'invalid'],
    'an array': ['[]', 'invalid'],
    null: ['null', 'invalid'],
    NaN: [text.replace('"trainLoss":1.93', '"trainLoss":NaN'), 'invalid'],
    'a number too large for a double': [text.replace('"trainLoss":1.93', '"trainLoss":1e999'), 'invalid'],
    'a negative step': [JSON.stringify(progressAt(-1)), 'invalid'],
    'a field that the contract does not know': [JSON.stringify({ ...progressAt(1), extra: 1 }), 'invalid'],
    'an unknown phase': [text.replace('Training', 'Dreaming'), 'invalid'],
    'too long a history': [
      JSON.stringify(progressAt(1, { history: Array.from({ length: 51 }, () => [1, 2, null]) })),
      'invalid',
    ],
    'another job': [JSON.stringify(progressAt(1, { jobUid: 'other' })), 'stranger'],
    'another run': [JSON.stringify(progressAt(1, { runId: '2' })), 'stranger'],
    'another pod on the same address': [JSON.stringify(progressAt(1, { podUid: 'other' })), 'stranger'],
    'more than the contract allows': [`${' '.repeat(33_000)}${text}`, 'toolarge'],
    'deep nesting': ['['.repeat(30_000), 'invalid'],
    'a prototype': [text.replace('{', '{"__proto__":{"polluted":true},'), 'invalid'],
  };
  for (const [name, [body, reason]] of Object.entries(bodies)) {
    it(`does not take ${name} for an answer`, async () => {
      stub.body = body;
      assert.equal(await why(), reason);
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    });
  }

  it('gives up on a body without end as soon as it is too large', async () => {
    stub.answer = (_, response) => {
      const chunk = Buffer.alloc(8192, 32);
      const more = () => {
        if (!response.destroyed) response.write(chunk, more);
      };
      more();
    };
    // Had it read on until its time was over, it would be 'unreachable'.
    assert.equal(await why(), 'toolarge');
  });

  it('gives up on a trickle and on silence when its time is over', { timeout: 20_000 }, async () => {
    for (const answer of [
      (_: unknown, response: ServerResponse) => {
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
      () => {},
    ]) {
      stub.answer = answer;
      const begun = performance.now();
      assert.equal(await why(300), 'unreachable');
      const took = performance.now() - begun;
      assert.ok(took >= 290, `${took}`);
    }
  });

  it('follows no redirect', async () => {
    stub.answer = (_, response) => response.writeHead(302, { location: '/elsewhere' }).end();
    const asked = stub.asked;
    assert.equal(await why(), 'refused');
    assert.equal(stub.asked, asked + 1);
  });

  it('does not mind a reset, nor that nobody listens', async () => {
    stub.answer = (request) => request.socket.resetAndDestroy();
    assert.equal(await why(), 'unreachable');
    const nobody = await askProgress({ ...identity, ip: '127.0.0.1' }, { dispatcher, port: 1 });
    assert.ok(!nobody.ok && nobody.why === 'unreachable');
  });

  it('does not unpack a compressed answer', async () => {
    stub.answer = (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.from('1f8b0800', 'hex'));
    };
    assert.equal(await why(), 'invalid');
  });
});
