import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubernetesObject } from '@kubernetes/client-node';
import { ApiError } from '../../../operator/kube/errors.ts';
import { type Input, next, patience, type State, start } from '../../../operator/kube/watch-state.ts';

type Pod = KubernetesObject;
const pod = (name: string, resourceVersion: string): Pod => ({ metadata: { name, resourceVersion } });
const page = (objects: Pod[], resourceVersion: string, token?: string): Input<Pod> => ({
  got: 'page',
  objects,
  resourceVersion,
  token,
});
const line = (type: string, object: KubernetesObject): Input<Pod> => ({ got: 'line', type, object });
const failure = (kind: ApiError['kind'], retryAfterMs?: number): Input<Pod> => ({
  got: 'error',
  error: new ApiError(kind, kind, { retryAfterMs }),
});
const watching = (resourceVersion: string, failures = 0): State<Pod> => ({
  at: 'watching',
  resourceVersion,
  failures,
  newest: resourceVersion,
});

/** Feeds the inputs one after the other. */
function run(state: State<Pod>, ...inputs: Input<Pod>[]) {
  let step = { state, effect: { do: 'nothing' } as ReturnType<typeof next<Pod>>['effect'] };
  for (const input of inputs) step = next(step.state, input);
  return step;
}

describe('state of a watch', () => {
  it('collects pages and hands them over as one list', () => {
    const first = run(start<Pod>(), page([pod('a', '1')], '5', 'more'));
    assert.deepEqual(first.effect, { do: 'nothing' });
    assert.equal(first.state.at, 'paging');
    const second = next(first.state, page([pod('b', '2')], '5'));
    assert.deepEqual(second.effect, { do: 'replace', objects: [pod('a', '1'), pod('b', '2')] });
    assert.deepEqual(second.state, watching('5'));
  });

  it('remembers the version of each event, bookmarks included', () => {
    assert.deepEqual(run(watching('5'), line('ADDED', pod('a', '6'))), {
      state: watching('6'),
      effect: { do: 'put', object: pod('a', '6') },
    });
    assert.deepEqual(run(watching('5'), line('DELETED', pod('a', '7'))).effect, {
      do: 'remove',
      object: pod('a', '7'),
    });
    assert.deepEqual(run(watching('5'), line('BOOKMARK', pod('', '9'))), {
      state: watching('9'),
      effect: { do: 'nothing' },
    });
  });

  for (const kind of ['Unavailable', 'TooManyRequests', 'Forbidden', 'NotFound', 'Invalid'] as const) {
    it(`goes on where it was after ${kind}`, () => {
      const { state, effect } = run(watching('5'), failure(kind, 3000));
      assert.deepEqual(state, watching('5', 1));
      assert.equal(effect.do, 'retry');
    });
  }

  it('lists again when its version is gone, whether the answer or an event says so', () => {
    const gone = { code: 410, reason: 'Expired', message: 'too old' } as KubernetesObject;
    for (const input of [failure('Gone'), line('ERROR', gone)]) {
      const { state } = run(watching('5'), input);
      assert.deepEqual(state, { at: 'empty', inOnePiece: true, failures: 1, newest: '5' });
    }
  });

  it('goes on after an event that says the server is busy', () => {
    const busy = { code: 429, reason: 'TooManyRequests' } as KubernetesObject;
    assert.deepEqual(run(watching('5'), line('ERROR', busy)).state, watching('5', 1));
  });

  it('asks for the list in pages and in one piece by turns while it does not come through', () => {
    const failed = run(start<Pod>(), failure('Unavailable')).state;
    assert.deepEqual(failed, { at: 'empty', inOnePiece: false, failures: 1, newest: undefined });
    assert.deepEqual(run(failed, failure('Unavailable')).state, { ...start(), failures: 2 });
  });

  it('asks for the list in one piece when its next page is gone', () => {
    const { state } = run(start<Pod>(), page([pod('a', '1')], '5', 'more'), failure('Gone'));
    assert.deepEqual(state, { at: 'empty', inOnePiece: true, failures: 1, newest: undefined });
  });

  it('keeps the pages it has when the next one fails', () => {
    const { state } = run(start<Pod>(), page([pod('a', '1')], '5', 'more'), failure('Unavailable'));
    assert.equal(state.at, 'paging');
  });

  it('counts failures over lists and watches, until an event or a long watch shows that all is well', () => {
    const bad = [failure('Gone'), page([], '6'), failure('Gone'), page([], '7')];
    const { state } = run(watching('5'), ...bad);
    assert.equal(state.failures, 2, 'a good list alone does not end a loop of 410');
    assert.equal(run(state, line('BOOKMARK', pod('', '8'))).state.failures, 0);
    assert.equal(run(state, { got: 'end', early: false }).state.failures, 0);
    assert.equal(run(state, { got: 'end', early: true }).state.failures, 3);
  });

  it('lists again when a watch fails again and again', () => {
    const tries = Array.from({ length: patience }, () => failure('Unavailable'));
    assert.equal(run(watching('5'), ...tries.slice(1)).state.at, 'watching');
    assert.equal(run(watching('5'), ...tries).state.at, 'empty');
  });

  it('starts a list again when its next page fails again and again, not when pages fail now and then', () => {
    const tries = Array.from({ length: patience }, () => failure('Invalid'));
    const paging = run(start(), page([pod('a', '1')], '5', 'next')).state;
    assert.equal(run(paging, ...tries.slice(1)).state.at, 'paging');
    assert.equal(run(paging, ...tries).state.at, 'empty');
    const flaky = tries.flatMap((failed) => [failed, page([], '5', 'more')]);
    assert.equal(run(paging, ...flaky, ...flaky).state.at, 'paging');
  });

  it('does not believe a list that is older than what it saw, but does in the end', () => {
    const seen: State<Pod> = { at: 'empty', inOnePiece: false, failures: 0, newest: '100' };
    const { state, effect } = run(seen, page([], '99'));
    assert.equal(effect.do, 'retry');
    assert.equal(state.at, 'empty');
    const tries = Array.from({ length: patience + 1 }, () => page([], '99'));
    assert.deepEqual(run(seen, ...tries).effect, { do: 'replace', objects: [] });
  });

  it('treats an event without version or of an unknown type as a failure', () => {
    assert.equal(run(watching('5'), line('ADDED', {})).effect.do, 'retry');
    assert.deepEqual(run(watching('5'), line('RENAMED', pod('a', '6'))).state, watching('5', 1));
  });
});
