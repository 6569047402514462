/** A plan must not depend on anything that the caches leave out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trimJob, trimPod } from '../../../operator/controller/trim.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import { annotations } from '../../../operator/manifests/names.ts';
import {
  after,
  endedStatus,
  failed,
  jobCondition,
  pass,
  runningStatus,
  unschedulable,
  waitingStatus,
} from '../builders.ts';
import {
  ended,
  inPreflight,
  inTraining,
  orphan,
  over,
  ready,
  running,
  without,
  withSpec,
  withTrainJob,
} from '../decide/worlds.ts';

const disrupted = {
  ...endedStatus(137),
  reason: 'Evicted',
  message: 'The node was low on memory.',
  conditions: [{ type: 'DisruptionTarget', status: 'True', message: 'preempted' }],
};
const worlds: Record<string, Observed> = {
  'a pod that cannot be scheduled': inPreflight(unschedulable('0/3 nodes are available.')),
  'an image that cannot be pulled': inPreflight(waitingStatus('ErrImagePull', 'access denied')),
  'a trainer at work': running,
  'a trainer with a grace period': {
    ...running,
    pods: running.pods.map((pod) => ({
      ...pod,
      spec: { ...pod.spec!, terminationGracePeriodSeconds: 600 },
    })),
  },
  'a trainer that failed': inTraining(endedStatus(1, failed('one', 'Internal', 'boom'))),
  'a trainer out of memory': inTraining(endedStatus(137, '', 'OOMKilled')),
  'a disruption': inTraining(disrupted),
  'a Job that failed by its policy': withTrainJob(ready, over('PodFailurePolicy', 'exit code 10')),
  'a Job on hold': withTrainJob(ready, {
    spec: { suspend: true, template: {} },
    metadata: { ...ready.batchJobs[1]?.metadata, annotations: { [annotations.heldByUser]: 'true' } },
  }),
  'a Job of a queue': withTrainJob(ready, {
    spec: { suspend: true, template: {} },
    metadata: {
      ...ready.batchJobs[1]?.metadata,
      labels: { ...ready.batchJobs[1]?.metadata?.labels, 'kueue.x-k8s.io/queue-name': 'q' },
    },
  }),
  ...Object.fromEntries(
    ['example.com/audit', 'foregroundDeletion'].map((finalizer) => [
      `a Job that is deleted and has the finalizer ${finalizer}`,
      withTrainJob(running, {
        metadata: { ...ready.batchJobs[1]?.metadata, deletionTimestamp: after(60), finalizers: [finalizer] },
      }),
    ]),
  ),
  'a job that is to stop': withSpec(running, { suspend: true }),
  'a Job that is complete': withTrainJob(running, { status: jobCondition('Complete', 'Done') }),
  'a new run': withSpec(running, { runId: '2' }),
  'a trainer whose Job was removed without it': {
    ...without(running, '-train'),
    pods: [orphan(runningStatus)],
  },
  'a run that is over': ended,
};

for (const [name, world] of Object.entries(worlds)) {
  test(`${name}: the same plan from what the caches keep`, () => {
    const kept = structuredClone(world);
    kept.batchJobs = kept.batchJobs.map(trimJob);
    kept.pods = kept.pods.map(trimPod);
    assert.deepEqual(decide(kept, after(120)), decide(world, after(120)));
    assert.ok(JSON.stringify(kept.batchJobs).length < JSON.stringify(world.batchJobs).length);
  });
}

test('the plans of these worlds differ', () => {
  const plans = Object.values(worlds).map((world) => JSON.stringify(pass(world, after(120)).plan));
  assert.equal(new Set(plans).size, plans.length);
});
