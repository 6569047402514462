import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import type { Sighting } from '../../../bench/operator/witness.ts';
import { Book } from '../../../bench/soak/book.ts';
import { aBatchJob, aJob, aPod, jobUid } from '../../operator/builders.ts';

const passes = { ends: ['Succeeded'], runs: 1 };
let version = 0;
const at = (object: object) => {
  const copy = structuredClone(object) as KubernetesObject & { metadata: object };
  copy.metadata = { ...copy.metadata, resourceVersion: String(++version) };
  return copy;
};
const ended = (phase: string) => ({
  ...aJob(),
  status: { phase, runId: '1', completionTime: '2026-01-01T00:00:00Z' },
});
const trainer = (uid: string): V1Pod => ({
  ...aPod(aBatchJob(aJob(), 'train'), uid, { phase: 'Running' }),
  kind: 'Pod',
});

/** What the book says about one job after these sightings and the time that it waits for more of them. */
function told(
  expectation: typeof passes,
  inOrder: readonly [type: string, object: object][],
  sightings: readonly Sighting<KubernetesObject>[] = inOrder.map(([type, object]) => ({
    type,
    object: at(object),
  })),
): Book {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const book = new Book();
    book.expect('spam-filter', expectation);
    for (const sighting of sightings) book.see(sighting);
    mock.timers.tick(10_000);
    return book;
  } finally {
    mock.timers.reset();
  }
}

test('a job that ended as it may and left nothing is closed', () => {
  const book = told(passes, [
    ['ADDED', aJob()],
    ['ADDED', trainer('a')],
    ['MODIFIED', ended('Succeeded')],
    ['DELETED', ended('Succeeded')],
    ['DELETED', trainer('a')],
  ]);
  assert.deepEqual(book.problems, []);
  assert.deepEqual(book.open, []);
  assert.deepEqual(book.ends, { Succeeded: 1 });
});

test('another end, and one that never came, are problems', () => {
  const failed = told(passes, [
    ['ADDED', aJob()],
    ['MODIFIED', ended('Failed')],
    ['DELETED', ended('Failed')],
  ]);
  assert.match(failed.problems.join(), /^spam-filter: ended as \[Failed\], not 1 times as one of Succeeded$/);
  const lost = told(passes, [
    ['ADDED', aJob()],
    ['DELETED', aJob()],
  ]);
  assert.match(lost.problems.join(), /ended as \[\]/);
  const twice = told({ ...passes, runs: 2 }, [
    ['ADDED', aJob()],
    ['MODIFIED', ended('Succeeded')],
    ['DELETED', ended('Succeeded')],
  ]);
  assert.match(twice.problems.join(), /not 2 times/);
});

test('a job that may be deleted need not end', () => {
  const book = told({ ends: [], runs: 0 }, [
    ['ADDED', aJob()],
    ['DELETED', aJob()],
  ]);
  assert.deepEqual([book.problems, book.ends], [[], { Deleted: 1 }]);
});

test('two live trainers are a problem', () => {
  const book = told(passes, [
    ['ADDED', aJob()],
    ['ADDED', trainer('a')],
    ['ADDED', trainer('b')],
    ['MODIFIED', ended('Succeeded')],
    ['DELETED', trainer('a')],
    ['DELETED', trainer('b')],
    ['DELETED', ended('Succeeded')],
  ]);
  assert.match(book.problems.join(), /2 trainers are alive/);
});

test('a child that is seen before its job counts', () => {
  const preflight = { ...aBatchJob(aJob(), 'preflight'), kind: 'Job' };
  const ready = {
    type: 'Ready',
    status: 'False',
    reason: 'PreflightPending',
    message: 'The preflight Job is being made.',
  };
  const over = ended('Succeeded');
  const said = { ...over, status: { ...over.status, conditions: [ready] } };
  const [job, child, changed] = [aJob(), preflight, said].map(at);
  const early = told(
    passes,
    [],
    [
      { type: 'ADDED', object: child! },
      { type: 'ADDED', object: job! },
      { type: 'MODIFIED', object: changed! },
      { type: 'DELETED', object: at(said) },
      { type: 'DELETED', object: at(preflight) },
    ],
  );
  assert.deepEqual([early.problems, early.open], [[], []]);
});

test('what is left, or was never seen, stays open', () => {
  const left = told(passes, [
    ['ADDED', aJob()],
    ['ADDED', trainer('a')],
    ['DELETED', ended('Succeeded')],
  ]);
  assert.deepEqual(left.open, ['spam-filter: Succeeded, deleted, 1 children']);
  assert.deepEqual(told(passes, []).open, ['spam-filter: never seen']);
  assert.equal(trainer('a').metadata?.labels?.['finetune.dev/job-uid'], jobUid);
});
