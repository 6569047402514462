/** Between two pods of a Job: what is normal for a while, and what a run then says that it waits for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import type { Observed } from '../../../operator/decide/plan.ts';
import { after, aPod, endedStatus, failed, interrupted, pass, runningStatus, trained } from '../builders.ts';
import {
  type Case,
  inPreflight,
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
const seenToEnd = (status: V1Pod['status'], spec: object = {}, at = 100): Observed =>
  pass({ ...withSpec(running, spec), pods: [aPod(trainJob, 'one', status)] }, after(at)).next;
/** Its pod ended when the run was held. */
const heldUntil = (seconds: number): Observed => {
  const held = pass(withSpec(running, { suspend: true }), after(90)).next;
  const stopped = pass({ ...held, pods: [aPod(trainJob, 'one', preempted)] }, after(100)).next;
  return pass(withSpec(stopped, { suspend: false }, 3), after(seconds)).next;
};
const suspended = (suspend: boolean) => ({ spec: { template: {}, suspend } });
const evictedUntil = (seconds: number): Observed => {
  const out = withTrainJob({ ...running, pods: [aPod(trainJob, 'one', preempted)] }, suspended(true));
  return withTrainJob(pass(pass(out, after(100)).next, after(seconds)).next, suspended(false));
};
const firstAdmittedAt = (seconds: number): Observed => {
  const { next } = trained({}, { queueName: 'gpus' });
  return withTrainJob(pass(pass(next, after(1)).next, after(seconds)).next, suspended(false));
};
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
const besideStray: Observed = { ...withSpec(running, { runId: '2', ...pending }), batchJobs: [] };
/** It ended long before its node could say so. */
const backAtLast = {
  ...endedStatus(143, interrupted('one')),
  conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: after(1) }],
};
const back: Observed = { ...given, pods: [aPod(trainJob, 'one', backAtLast, evicted)] };
const successor = aPod(trainJob, 'two', { phase: 'Pending' }, { creationTimestamp: after(232) });

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
  'a node whose clock is ahead makes nobody wait for less': {
    given: seenToEnd(preempted, {}, 40),
    now: after(69),
    want: { phase: 'Training', reason: 'TrainingInterrupted', says: [] },
  },
  'or for longer': {
    given: seenToEnd(preempted, {}, 40),
    now: after(70),
    want: { phase: 'Pending', category: 'PodRefused' },
  },
  'nor does it say once more that the trainer starts when its time has come': {
    given: pass(seenToEnd(preempted, {}, 40), after(70)).next,
    now: after(101),
    want: { phase: 'Pending', category: 'PodRefused', says: [] },
  },
  'one that tells the end late, or whose clock is behind, leaves as much time': {
    given: seenToEnd(preempted, {}, 5000),
    now: after(5029),
    want: { phase: 'Training', reason: 'TrainingInterrupted', says: [] },
  },
  'an operator that was away while another pod came and went begins anew': {
    given: {
      ...seenToEnd(preempted),
      pods: [aPod(trainJob, 'two', preempted, { creationTimestamp: after(4000) })],
    },
    now: after(5000),
    want: { phase: 'Training', reason: 'TrainingInterrupted' },
  },
  'a pod that vanished, of which nobody knows how it ended, is replaced like any other': {
    given: { ...running, pods: [] },
    now: after(5000),
    want: { phase: 'Pending', reason: 'TrainingPending', category: undefined },
  },
  'or not': {
    given: pass({ ...running, pods: [] }, after(5000)).next,
    now: after(5030),
    want: { phase: 'Pending', category: 'PodRefused' },
  },
  'nobody refused the pod of a Job that the Job controller has not looked at': {
    given: withTrainJob(pass({ ...running, pods: [] }, after(5000)).next, { status: {} }),
    now: after(5030),
    want: { phase: 'Pending', reason: 'TrainingPending', category: undefined, says: [] },
    message: /^Job spam-filter-\S+-train waits for the Job controller of the cluster\.$/,
  },
  'a run that was held for long has the time of any other when it goes on': {
    given: heldUntil(4000),
    now: after(4001),
    want: { phase: 'Training', reason: 'TrainingInterrupted' },
  },
  'as has one that its queue lets in again': {
    given: evictedUntil(4000),
    now: after(4001),
    want: { phase: 'Training', reason: 'TrainingInterrupted' },
  },
  'and one that its queue lets in for the first time': {
    given: firstAdmittedAt(4000),
    now: after(4001),
    want: { phase: 'Pending', reason: 'TrainingPending', category: undefined },
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
    given: back,
    now: after(230),
    want: { phase: 'Training', reason: 'TrainingInterrupted', category: 'Interrupted', does: [] },
  },
  'and the wait for its next pod begins': {
    given: { ...pass(back, after(230)).next, pods: [...back.pods, successor] },
    now: after(280),
    want: { phase: 'Pending', reason: 'TrainingPending', does: [] },
  },
  'a new run waits for a pod on a lost node, and makes none beside it': {
    given: { ...withSpec(onLostNode(), { runId: '2' }), batchJobs: [] },
    now: after(900),
    want: { phase: 'Pending', reason: 'NewRun', does: [] },
  },
  'a new run waits no longer than it may for a pod that nobody stops': {
    given: pass(besideStray, after(1)).next,
    now: after(61),
    want: { phase: 'Failed', reason: 'PendingDeadlineExceeded' },
  },

  'the next pod of preflight does not come': {
    given: pass(inPreflight(failing), after(100)).next,
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
    given: pass(pass(withSpec(inPreflight(failing), pending), after(101)).next, after(131)).next,
    now: after(191),
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
  assert.equal(again(inPreflight(failing), 110), 30_000);
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

test('a run that is held, stopped or over has nothing to start', () => {
  for (const spec of [{ suspend: true }, { cancel: true }]) {
    const { plan } = pass(withSpec(seenToEnd(failing), spec), after(110));
    assert.equal(plan.status.restartingSince, undefined);
  }
});
