import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beside, line, requestCount, requestLines, siteLines } from '../../../bench/operator/lines.ts';

const named = (own: ReturnType<typeof line>, peerName: string) => ({ ...own, peerName });

test('figures of the peer come beside those of the operator, by the name of the case', () => {
  const ours = [line('c: all done', 100, 's', 120), line('c: handshakes', 2, 'handshakes')];
  const [done, handshakes] = beside(ours, [named(line('c: all done', 90, 's'), 'theirs')]);
  assert.deepEqual(done, {
    case: 'c: all done',
    value: 100,
    unit: 's',
    bar: 120,
    peer: 90,
    peerName: 'theirs',
  });
  assert.deepEqual([handshakes?.peer, handshakes?.peerName], [null, null], 'not measured is not 0');
});

test('a kind of request that one of the two makes is 0 for the other, but for those of the start', () => {
  const ours = requestLines('c', new Map([['create events', 300]]), 100);
  const requests = { 'patch jobsets': 1000, 'list secrets': 1 };
  const theirs = requestLines('c', new Map(Object.entries(requests)), 1000);
  const figures = beside(
    ours,
    theirs.map((each) => named(each, 'theirs')),
  ).map((each) => [each.case, each.value, each.peer]);
  assert.deepEqual(figures, [
    ['c: create events a job', 3, 0],
    ['c: patch jobsets a job', 0, 1],
  ]);
});

test('requests that keep a lease count for no job', () => {
  const requests = new Map([
    ['update leases', 40],
    ['create jobs', 2],
  ]);
  assert.equal(requestCount(requests), 2);
  assert.deepEqual(
    requestLines('c', requests, 1).map((each) => each.case),
    ['c: create jobs a job'],
  );
});

test('the processor time of a site is that of all its programs', () => {
  const seconds = new Map([
    ['kube-apiserver', 100],
    ['node', 20.5],
  ]);
  const figures = siteLines('c', seconds).map((each) => [each.case, each.value]);
  assert.deepEqual(figures, [
    ['c: API server CPU', 100],
    ['c: CPU of all programs', 120.5],
  ]);
});
