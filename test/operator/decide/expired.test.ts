/** spec.ttlSecondsAfterFinished: when the object of a run goes, and what keeps it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../operator/decide/decide.ts';
import { timestampOf } from '../../../operator/decide/present.ts';
import { after, endedStatus, pass, succeeded } from '../builders.ts';
import { ended, inTraining, running, summary, withSpec } from './worlds.ts';

// The trainer of `ended` came to its end after 100 seconds.
const expiring = withSpec(ended, { ttlSecondsAfterFinished: 60 });

test('the object of an ended run is kept for its time to live', () => {
  const plan = decide(expiring, after(150));
  assert.deepEqual([summary(plan).does, plan.requeueAfterMs], [[], 10_000]);
});

test('then exactly this version of it is deleted, and nothing else is done or written', () => {
  const metadata = { ...expiring.job.metadata, resourceVersion: '77' };
  const world = { ...expiring, job: { ...expiring.job, metadata } };
  const plan = decide(world, after(160));
  const { kind, apiVersion, objectKind, name, uid, resourceVersion } = plan.actions[0] as Record<
    string,
    unknown
  >;
  assert.deepEqual(
    { kind, apiVersion, objectKind, name, uid, resourceVersion },
    {
      kind: 'delete',
      apiVersion: 'finetune.dev/v1alpha1',
      objectKind: 'FineTuneJob',
      name: 'spam-filter',
      uid: metadata.uid,
      resourceVersion: '77',
    },
  );
  assert.equal(plan.actions.length, 1);
  assert.deepEqual(plan.status, world.job.status);
});

test('zero seconds: at once', () => {
  assert.deepEqual(summary(decide(withSpec(ended, { ttlSecondsAfterFinished: 0 }), after(100))).does, [
    'delete filter',
  ]);
});

test('an end in the future, by the clock of a node, is one that was said now', () => {
  const { next } = pass(inTraining(endedStatus(0, succeeded('one'))), after(40));
  assert.equal(next.job.status?.completionTime, timestampOf(after(40)));
  const world = withSpec(next, { ttlSecondsAfterFinished: 60 });
  assert.deepEqual(summary(decide(world, after(99))).does, []);
  assert.deepEqual(summary(decide(world, after(100))).does, ['delete filter']);
});

test('an end that is said late is there for the whole time to live', () => {
  const conditions = expiring.job.status!.conditions!.map((condition) => ({
    ...condition,
    lastTransitionTime: after(500).toISOString(),
  }));
  const status = { ...expiring.job.status, conditions };
  const world = { ...expiring, job: { ...expiring.job, status } };
  const plan = decide(world, after(550));
  assert.deepEqual([summary(plan).does, plan.requeueAfterMs], [[], 10_000]);
  assert.deepEqual(summary(decide(world, after(560))).does, ['delete filter']);
});

test('without a time to live it stays, as does a run that has not ended, or a new run', () => {
  const year = after(365 * 86_400);
  for (const world of [
    ended,
    withSpec(running, { ttlSecondsAfterFinished: 0 }),
    withSpec({ ...ended, batchJobs: [], pods: [] }, { ttlSecondsAfterFinished: 0, runId: '2' }),
  ]) {
    const { actions } = decide(world, year);
    assert.ok(!actions.some((action) => action.kind === 'delete' && action.objectKind === 'FineTuneJob'));
  }
});
