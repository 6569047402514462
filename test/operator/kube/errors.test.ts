import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorOfStatus } from '../../../operator/kube/errors.ts';

describe('errors', () => {
  const cases: [number, string, string][] = [
    [404, 'NotFound', 'NotFound'],
    [409, 'AlreadyExists', 'AlreadyExists'],
    [409, 'Conflict', 'Conflict'],
    [410, 'Expired', 'Gone'],
    [401, 'Unauthorized', 'Unauthorized'],
    [403, 'Forbidden', 'Forbidden'],
    [422, 'Invalid', 'Invalid'],
    [429, 'TooManyRequests', 'TooManyRequests'],
    [500, 'InternalError', 'Unavailable'],
    [503, '', 'Unavailable'],
    [408, 'Timeout', 'Unavailable'],
  ];
  for (const [status, reason, kind] of cases) {
    it(`${status} ${reason} is ${kind}`, () => {
      assert.equal(errorOfStatus('GET /x', status, { reason }).kind, kind);
    });
  }
  it('tell a webhook that gives no answer from a server that has troubles of its own', () => {
    const message =
      'Internal error occurred: failed calling webhook "jobs.example.com": failed to call webhook: Post "https://x": EOF';
    assert.equal(errorOfStatus('POST /x', 500, { reason: 'InternalError', message }).kind, 'WebhookFailed');
  });
  it('carry how long the server wants to be left alone', () => {
    assert.equal(errorOfStatus('GET /x', 429, {}, '3').retryAfterMs, 3000);
    assert.equal(errorOfStatus('GET /x', 429, { details: { retryAfterSeconds: 2 } }).retryAfterMs, 2000);
    const inTen =
      errorOfStatus('GET /x', 503, {}, new Date(Date.now() + 10_000).toUTCString()).retryAfterMs ?? 0;
    assert.ok(inTen > 8000 && inTen <= 10_000, `${inTen}`);
    assert.equal(errorOfStatus('GET /x', 429, {}, '99999999').retryAfterMs, 300_000);
    assert.equal(errorOfStatus('GET /x', 500, {}, 'soon').retryAfterMs, undefined);
  });
});
