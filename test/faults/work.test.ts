import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { excessOf, workOf } from './work.ts';

const seen = [
  'list-pods.1',
  'watch-pods.1',
  'read-job-train.1',
  'event-of-pods-new.1',
  'event-Resumed.1',
  'event-Resumed.2',
  'lease-update.1',
];

describe('work of an operator', () => {
  it('counts writes and Events by name', () => {
    assert.deepEqual(workOf(seen, 9), { requests: 9, writes: { 'event-Resumed': 2, 'lease-update': 1 } });
  });

  const usual = { requests: 20, writes: { 'event-Resumed': 1, 'lease-update': 2 } };
  const rows: [string, object, RegExp | undefined][] = [
    ['what a fault costs', { requests: 90, writes: { 'event-Resumed': 8 } }, undefined],
    ['a loop of reads', { requests: 91 }, /91 times requests/],
    ['a loop of Events', { writes: { 'event-Resumed': 9 } }, /9 times event-Resumed/],
    ['what is never written otherwise', { writes: { 'patch-job-train': 7 } }, /7 times patch-job-train/],
    ['a lease that lasts', { writes: { 'lease-update': 60 } }, undefined],
  ];
  for (const [name, changes, telling] of rows)
    it(name, () => {
      const found = excessOf(usual, { ...usual, ...changes }).join();
      if (telling === undefined) assert.equal(found, '');
      else assert.match(found, telling);
    });
});
