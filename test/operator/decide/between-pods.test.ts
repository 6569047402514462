/** Between two pods of a Job: what is normal for a while, and what a run then says that it waits for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import type { Observed } from '../../../operator/decide/plan.ts';
import {
  after,
  aPod,
  endedStatus,
  failed,
  interrupted,
  pass,
  runningStatus,
  unschedulable,
} from '../builders.ts';
import {
  type Case,
  inPreflight,
  inTraining,
  over,
  preflightJob,
  running,
  summary,
  testCases,
  trainJob,
  withSpec,
  withTrainJob,
} from './worlds.ts';

const pending = { pendingDeadlineSeconds: 60 };
const preempted: V1Pod['status'] = {
  ...endedStatus(137),
  conditions: [
    { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler', message: 'preempting' },
  ],
};
/** Its end is seen 100 seconds after the start, when it happens. */
const seenToEnd = (status: V1Pod['status'], spec: object = {}): Observed =>
  pass({ ...withSpec(running, spec), pods: [aPod(trainJob, 'one', status)] }, after(100)).next;
const failing = endedStatus(30, failed('one', 'SourceUnavailable', 'time-out'));
const unavailable = (attempts: number): Observed => {
  const pods = Array.from({ length: attempts }, (_, i) =>
    aPod(trainJob, i === 0 ? 'one' : `try-${i}`, failing, { creationTimestamp: after(i) }),
  );
  return { ...running, pods };
};

/** By taint of its node, with two minutes to stop, of which nobody tells. */
const evicted = { deletionTimestamp: after(120) };
const onLostNode = (spec: object = {}): Observed => ({
  ...withSpec(running, spec),
  pods: [aPod(trainJob, 'one', runningStatus, evicted)],
});
const named = (world: Observed): Observed => pass(world, after(180)).next;
const given = named(onLostNode(pending));
const backAt300 = {
  ...endedStatus(143, interrupted('one')),
  conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: after(300) }],
};

const cases: Record<string, Case> = {
  'the next pod of a trainer that was preempted comes within seconds': {
    given: seenToEnd(preempted),
    now: after(129),
    want: { phase: 'Training', reason: 'TrainingInterrupted', category: 'NodeLost', does: [], says: [] },
  },
  'one that does not come is waited for': {
    given: seenToEnd(preempted),
    now: after(130),
    want: {
      phase: 'Pending',
      reason: 'TrainingPending',
      category: 'PodRefused',
      does: [],
      says: ['Warning TrainingPending'],
    },
    message:
      /Job spam-filter-\S+-train has made no pod since its last one ended: a quota or an admission policy/,
  },
  'and no longer than the pending deadline': {
    given: pass(seenToEnd(preempted, pending), after(130)).next,
    now: after(190),
    want: { phase: 'Failed', reason: 'PendingDeadlineExceeded', does: ['patch train'] },
    message: /Waited for 1m.*has made no pod since its last one ended: a quota or an admission policy/,
  },
  'what the Job lets pass first counts for no deadline': {
    given: pass(seenToEnd(preempted, pending), after(130)).next,
    now: after(189),
    want: { phase: 'Pending', category: 'PodRefused', does: [] },
  },
  'after a failure as well': {
    given: seenToEnd(failing),
    now: after(130),
    want: { phase: 'Pending', reason: 'TrainingPending', category: 'PodRefused' },
  },
  'a Job makes its fifth pod after 160 seconds': {
    given: pass(unavailable(5), after(100)).next,
    now: after(279),
    want: { phase: 'Training', reason: 'TrainingRetrying', category: 'SourceUnavailable' },
  },
  'and not much later': {
    given: pass(unavailable(5), after(100)).next,
    now: after(280),
    want: { phase: 'Pending', category: 'PodRefused' },
  },
  'also where only the last of them is known': {
    given: { ...pass(unavailable(5), after(100)).next, pods: unavailable(5).pods.slice(-1) },
    now: after(279),
    want: { phase: 'Training', reason: 'TrainingRetrying' },
  },
  'any pod after ten minutes at the latest': {
    given: pass(unavailable(40), after(100)).next,
    now: after(720),
    want: { phase: 'Pending', category: 'PodRefused' },
  },
  'a Job that is over makes no other pod': {
    given: withTrainJob(seenToEnd(failing), over('BackoffLimitExceeded')),
    now: after(900),
    want: { phase: 'Failed', reason: 'RetriesExhausted', category: 'SourceUnavailable' },
  },
  'a node whose clock is an hour ahead makes nobody wait for that hour': {
    given: inTraining(preempted, { creationTimestamp: after(-3600) }),
    now: after(-3600 + 31),
    want: { phase: 'Pending', category: 'PodRefused' },
  },
  'the end of a trainer of which the status still tells was just now, whatever the clock of its node says': {
    given: { ...running, pods: [aPod(trainJob, 'one', preempted)] },
    now: after(3600),
    want: { phase: 'Training', reason: 'TrainingInterrupted' },
  },
  'a pod that its node refuses ended no sooner than it was made': {
    given: inTraining(
      { phase: 'Failed', reason: 'UnexpectedAdmissionError' },
      { creationTimestamp: after(595) },
    ),
    now: after(600),
    want: { phase: 'Training', reason: 'TrainingRetrying', category: 'Unschedulable' },
  },
  'one that waited for its node did not end when it was made': {
    given: {
      ...pass(inTraining(unschedulable('no room')), after(20)).next,
      pods: [
        aPod(trainJob, 'one', {
          phase: 'Failed',
          reason: 'Evicted',
          conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: after(595) }],
        }),
      ],
    },
    now: after(600),
    want: { phase: 'Training', reason: 'TrainingInterrupted', category: 'NodeLost' },
  },

  'a pod that is asked to stop has its grace period, and its node a minute to tell': {
    given: onLostNode(),
    now: after(179),
    want: { phase: 'Training', reason: 'TrainingInterrupted', category: undefined, does: [] },
  },
  'then the node that does not tell is named': {
    given: onLostNode(),
    now: after(180),
    want: {
      phase: 'Pending',
      reason: 'TrainingPending',
      category: 'NodeLost',
      does: [],
      says: ['Warning TrainingPending'],
    },
    message: /Node node-1 does not tell that pod \S+-train-one has ended.*by 2026-01-01T00:02:00Z/,
  },
  'a lost node is waited for until the pending deadline': {
    given,
    now: after(239),
    want: { phase: 'Pending', category: 'NodeLost', does: [] },
  },
  'after which its pod is not replaced': {
    given,
    now: after(240),
    want: { phase: 'Failed', reason: 'PendingDeadlineExceeded', does: ['patch train'] },
    message: /Waited for 1m.*Node node-1 does not tell/,
  },
  'when the node is back the run goes on': {
    given: { ...given, pods: [aPod(trainJob, 'one', backAt300, evicted)] },
    now: after(301),
    want: { phase: 'Training', reason: 'TrainingInterrupted', category: 'Interrupted', does: [] },
  },
  'a new run waits for a pod on a lost node, and makes none beside it': {
    given: { ...withSpec(onLostNode(), { runId: '2' }), batchJobs: [] },
    now: after(900),
    want: { phase: 'Pending', reason: 'NewRun', does: [] },
  },

  'the next pod of preflight does not come': {
    given: inPreflight(failing),
    now: after(130),
    want: { phase: 'Pending', reason: 'PreflightPending', category: 'PodRefused' },
  },
  'its third pod comes later': {
    given: {
      ...inPreflight(failing),
      pods: ['a', 'b', 'c'].map((uid) => aPod(preflightJob, uid, failing)),
    },
    now: after(159),
    want: { phase: 'Preflight', reason: 'PreflightPending', category: 'SourceUnavailable' },
  },
  'meanwhile it waits for nothing': {
    given: pass(withSpec(inPreflight(failing), { pendingDeadlineSeconds: 20 }), after(101)).next,
    now: after(129),
    want: { phase: 'Preflight', category: 'SourceUnavailable', does: [] },
  },
  'it is waited for no longer than the pending deadline': {
    given: pass(pass(withSpec(inPreflight(failing), pending), after(101)).next, after(130)).next,
    now: after(190),
    want: { phase: 'Failed', reason: 'PendingDeadlineExceeded', does: ['patch preflight'] },
  },
  'the pod of preflight is on a lost node': {
    given: inPreflight(runningStatus, evicted),
    now: after(180),
    want: { phase: 'Pending', reason: 'PreflightPending', category: 'NodeLost' },
  },
  'that it is being stopped is nothing yet': {
    given: inPreflight(runningStatus, evicted),
    now: after(179),
    want: { phase: 'Preflight', reason: 'PreflightRunning' },
  },
};

testCases(cases);

test('time alone brings the pass that says it', () => {
  const again = (world: Observed, seconds: number) => pass(world, after(seconds)).plan.requeueAfterMs;
  assert.equal(again(seenToEnd(preempted), 110), 20_000);
  assert.equal(again(onLostNode(), 110), 70_000);
  assert.equal(again(inPreflight(failing), 110), 20_000);
  assert.equal(again(inPreflight(runningStatus, evicted), 110), 70_000);
  assert.equal(again(pass(seenToEnd(preempted), after(130)).next, 131), undefined, 'news come by a watch');
  assert.equal(again(named(onLostNode()), 181), undefined);
});

test('a trainer that starts again as it should costs no more than its stations', () => {
  let world = running;
  const stations: string[] = [];
  const look = (seconds: number, pods: V1Pod[]) => {
    const { plan, next } = pass({ ...world, pods }, after(seconds));
    if (JSON.stringify(plan.status) !== JSON.stringify(world.job.status))
      stations.push(`${seconds} ${summary(plan).reason}`);
    world = next;
  };
  for (const seconds of [5, 6, 99]) look(seconds, [aPod(trainJob, 'one', runningStatus, evicted)]);
  const one = aPod(trainJob, 'one', endedStatus(143, interrupted('one')), evicted);
  for (const seconds of [100, 101, 112]) look(seconds, [one]);
  const made = { creationTimestamp: after(112) };
  for (const seconds of [113, 114]) look(seconds, [one, aPod(trainJob, 'two', { phase: 'Pending' }, made)]);
  for (const seconds of [120, 121]) look(seconds, [one, aPod(trainJob, 'two', runningStatus, made)]);
  const reasons = ['5 TrainingInterrupted', '100 TrainingInterrupted', '113 TrainingPending'];
  assert.deepEqual(stations, [...reasons, '120 TrainingRunning']);
});
