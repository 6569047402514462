/** The deadlines of a run: what counts, what does not, and what a run that exceeds one says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../../../operator/decide/plan.ts';
import {
  after,
  aJob,
  aPod,
  endedStatus,
  interrupted,
  jobCondition,
  observe,
  pass,
  runningFrom,
  runningStatus,
  succeeded,
  trained,
  unschedulable,
  validated,
  waitingStatus,
} from '../builders.ts';
import {
  actedOn,
  type Case,
  fresh,
  inPreflight,
  inTraining,
  over,
  ready,
  running,
  summary,
  testCases,
  told,
  trainJob,
  without,
  withSpec,
  withTrainJob,
} from './worlds.ts';

const savedAt = (uid: string) => aPod(trainJob, uid, endedStatus(143, interrupted(uid)));
const held = pass(withSpec(running, { suspend: true })).next;
const deadline = { activeDeadlineSeconds: 60 };
const pending = { pendingDeadlineSeconds: 60 };

const cases: Record<string, Case> = {
  'a second before its deadline the trainer is left alone': {
    given: withSpec(running, deadline),
    now: after(59),
    want: { phase: 'Training', does: [] },
  },
  'at its deadline the trainer is asked to stop': {
    given: told(withSpec(running, deadline), after(60)),
    now: after(60),
    want: {
      phase: 'Stopping',
      reason: 'DeadlineExceeded',
      category: 'DeadlineExceeded',
      does: ['patch train'],
      says: ['Warning DeadlineExceeded'],
    },
    message: /ran for 1m.*after a checkpoint/,
  },
  'that it is reached is told first, so that it holds for a process that starts when the pod is gone': {
    given: { ...told(withSpec(running, deadline), after(60)), pods: [] },
    now: after(70),
    want: { phase: 'Failed', reason: 'DeadlineExceeded' },
  },
  'the run fails once the pod has ended': {
    given: { ...actedOn(withSpec(running, deadline), after(60)), pods: [savedAt('one')] },
    now: after(70),
    want: { phase: 'Failed', reason: 'DeadlineExceeded', does: [] },
  },
  'the deadline stands although the pod went before anybody saw how long it ran': {
    given: { ...actedOn(withSpec(running, deadline), after(60)), pods: [] },
    now: after(70),
    want: { phase: 'Failed', reason: 'DeadlineExceeded' },
  },
  'a longer deadline lets a run go on that was being stopped': {
    given: withTrainJob(
      {
        ...withSpec(actedOn(withSpec(running, deadline), after(60)), { activeDeadlineSeconds: 600 }, 3),
        pods: [savedAt('one')],
      },
      over('DeadlineExceeded'),
    ),
    now: after(200),
    want: { phase: 'Pending', reason: 'TrainingInterrupted', does: ['delete train'] },
  },
  'success at the last moment is success': {
    given: withSpec(inTraining(endedStatus(0, succeeded('one'))), deadline),
    now: after(900),
    want: { phase: 'Succeeded' },
  },
  'a suspended run is past no deadline': {
    given: { ...withSpec(held, { suspend: true, ...deadline }, 3), pods: [savedAt('one')] },
    now: after(900),
    want: { phase: 'Suspended' },
  },

  'a pod that no node takes is waited for until the pending deadline': {
    given: pass(withSpec(inTraining(unschedulable('0/1 nodes: no GPU')), pending)).next,
    now: after(59),
    want: { phase: 'Pending', reason: 'TrainingPending', does: [] },
  },
  'then the run fails and says what it waited for': {
    given: pass(withSpec(inTraining(unschedulable('0/1 nodes: no GPU')), pending)).next,
    now: after(60),
    want: {
      phase: 'Failed',
      reason: 'PendingDeadlineExceeded',
      category: 'PendingDeadlineExceeded',
      does: ['patch train'],
      says: ['Warning PendingDeadlineExceeded'],
    },
    message: /Waited for 1m.*0\/1 nodes: no GPU/,
  },
  'an image that cannot be pulled': {
    given: pass(withSpec(inPreflight(waitingStatus('ErrImagePull', 'no such image')), pending)).next,
    now: after(60),
    want: { phase: 'Failed', reason: 'PendingDeadlineExceeded', does: ['patch preflight'] },
    message: /no such image/,
  },
  'a quota': {
    given: pass(withSpec(fresh, pending), after(30)).next,
    now: after(90),
    want: { reason: 'PendingDeadlineExceeded' },
    message: /a quota or an admission policy/,
  },
  'a volume': {
    given: pass(withSpec(inPreflight(waitingStatus('ContainerCreating')), pending), after(40)).next,
    now: after(100),
    want: { reason: 'PendingDeadlineExceeded' },
    message: /Secret s3-credentials/,
  },
  'a queue': {
    given: pass(withSpec(trained({}, { queueName: 'gpus' }).next, pending)).next,
    now: after(60),
    want: { reason: 'PendingDeadlineExceeded', does: ['delete train'] },
    message: /waits for its queue/,
  },
  'a runtime': {
    given: pass(observe({ job: aJob(pending), runtime: undefined })).next,
    now: after(60),
    want: { reason: 'PendingDeadlineExceeded', does: [] },
    message: /FineTuneRuntime "default" does not exist/,
  },
  'a run on hold waits for nothing': {
    given: pass(withSpec(held, { suspend: true, ...pending }, 3)).next,
    now: after(600),
    want: { phase: 'Suspended' },
  },
  'a running trainer waits for nothing': {
    given: pass(withSpec(running, pending)).next,
    now: after(600),
    want: { phase: 'Training' },
  },
};

testCases(cases);

test('a deadline is looked at when it is due, without news from the trainer', () => {
  assert.equal(pass(withSpec(running, deadline), after(10)).plan.requeueAfterMs, 50_000);
  const waiting = pass(withSpec(ready, pending)).next;
  assert.equal(pass(waiting, after(55)).plan.requeueAfterMs, 5000);
  assert.equal(pass(running, after(10)).plan.requeueAfterMs, undefined);
});

test('suspended time counts for no deadline', () => {
  const spec = { suspend: true, ...deadline };
  const stopped = pass({ ...withSpec(held, spec, 3), pods: [savedAt('one')] }).next;
  const resumed = withSpec({ ...stopped, pods: [] }, { suspend: false }, 4);
  assert.equal(pass(resumed, after(100_000)).plan.status.phase, 'Failed', 'it ran for 100 of 60 seconds');
  const longer = withSpec(resumed, { activeDeadlineSeconds: 101 }, 5);
  assert.equal(pass(longer, after(100_000)).plan.status.phase, 'Pending');
});

const trainJobOf = ({ batchJobs }: Observed) =>
  batchJobs.find(({ metadata }) => metadata?.name?.endsWith('-train'))!;

test('each wait counts for itself, from its own beginning', () => {
  const since = (world: Observed) => world.job.status?.waitingSince;
  let world = pass(fresh, after(10)).next;
  assert.equal(since(world), '2026-01-01T00:00:00Z');
  const check = aPod(fresh.batchJobs[0]!, 'check', endedStatus(0, validated('check')));
  world = pass({ ...world, pods: [check] }, after(20)).next;
  assert.equal(since(world), '2026-01-01T00:00:20Z');
  world = pass(world, after(50)).next;
  assert.equal(since(world), '2026-01-01T00:00:20Z');
  world = pass({ ...world, pods: [aPod(trainJobOf(world), 'one', runningStatus)] }, after(60)).next;
  assert.equal(since(world), undefined);
  world = pass({ ...world, pods: [aPod(trainJobOf(world), 'two', { phase: 'Pending' })] }, after(200)).next;
  assert.equal(since(world), '2026-01-01T00:03:20Z');
});

const stopping = { deletionTimestamp: after(130) };
const savesIn = (world: Observed) => ({
  ...withSpec(world, pending, 3),
  pods: [aPod(trainJob, 'one', runningStatus, stopping)],
});
/** Places of a run whose pod is asked to stop at 10 seconds, with 120 to save its checkpoint. */
const saving: Record<string, Observed> = {
  'its queue evicts its Job': savesIn(withTrainJob(running, { spec: { ...trainJob.spec, suspend: true } })),
  'its Job is being deleted': savesIn(
    withTrainJob(running, { metadata: { ...trainJob.metadata, deletionTimestamp: after(10) } }),
  ),
  'its Job is gone': savesIn(without(running, '-train')),
  'a new run takes its place': withSpec({ ...savesIn(running), batchJobs: [] }, { runId: '2' }, 4),
};
for (const [name, given] of Object.entries(saving)) {
  test(`while a trainer saves its checkpoint no wait counts: ${name}`, () => {
    let { plan, next } = pass(given, after(10));
    assert.equal(plan.status.waitingSince, undefined);
    assert.ok((plan.requeueAfterMs ?? Number.POSITIVE_INFINITY) <= 180_000, 'nobody looks again');
    ({ plan, next } = pass(next, after(189)));
    assert.equal(plan.status.completionTime, undefined);
    // A node that has not told the end by now is lost.
    ({ plan, next } = pass(next, after(190)));
    assert.equal(plan.status.waitingSince, '2026-01-01T00:03:10Z');
    assert.equal(pass(next, after(249)).plan.status.completionTime, undefined);
    assert.equal(summary(pass(next, after(250)).plan).reason, 'PendingDeadlineExceeded');
  });
}

test('the wait for a queue begins when the checkpoint is saved', () => {
  const evicted = pass(saving['its queue evicts its Job']!, after(10)).next;
  const { next, plan } = pass({ ...evicted, pods: [savedAt('one')] }, after(100));
  assert.equal(plan.status.waitingSince, '2026-01-01T00:01:40Z');
  assert.equal(summary(pass(next, after(160)).plan).reason, 'PendingDeadlineExceeded');
});

test('a pod that has not begun saves nothing: its wait goes on', () => {
  const waiting = pass(withSpec(inTraining(unschedulable('no room')), pending)).next;
  const evicted = withTrainJob(waiting, { spec: { ...trainJob.spec, suspend: true } });
  const pods = [aPod(trainJob, 'one', unschedulable('no room'), stopping)];
  assert.equal(pass({ ...evicted, pods }, after(30)).plan.status.waitingSince, '2026-01-01T00:00:00Z');
});

const noGpu = pass(withSpec(inTraining(unschedulable('0/1 nodes: no GPU')), pending)).next;
/** The Job is ended for the pending deadline, which nobody has told yet: the operator had no answer. */
const endedUntold = (pods: Observed['pods'], changes: object): Observed => ({
  ...withTrainJob(noGpu, { spec: { ...trainJob.spec, activeDeadlineSeconds: 1 }, ...changes }),
  pods,
});
const untold: Record<string, Observed> = {
  'the Job controller has not looked yet': endedUntold(noGpu.pods, {}),
  'its pod is being removed': endedUntold(
    [aPod(trainJob, 'one', unschedulable('0/1 nodes: no GPU'), { deletionTimestamp: after(61) })],
    { status: jobCondition('FailureTarget', 'DeadlineExceeded') },
  ),
  'its pod is gone': endedUntold([], over('DeadlineExceeded')),
};
for (const [name, given] of Object.entries(untold))
  test(`a run whose wait was ended and not told fails for it and is not begun again: ${name}`, () => {
    const { plan } = pass(given, after(75));
    const { phase, reason, does } = summary(plan);
    assert.deepEqual([phase, reason, does], ['Failed', 'PendingDeadlineExceeded', []]);
    assert.match(plan.status.failure?.message ?? '', /Waited for 1m.*0\/1 nodes: no GPU/);
    assert.match(plan.status.failure?.hint ?? '', /Mend what it waited for/, 'the run does not go on');
  });

test('a trainer that started while its wait was being ended is no wait: it is made again', () => {
  const started = pass(endedUntold([aPod(trainJob, 'one', runningFrom(60))], {}), after(62)).next;
  assert.equal(started.job.status?.phase, 'Training');
  const gone = { ...withTrainJob(started, over('DeadlineExceeded')), pods: [] };
  assert.deepEqual(summary(pass(gone, after(75)).plan).does, ['delete train']);
});

test('a deadline counts all attempts', () => {
  const first = aPod(trainJob, 'one', endedStatus(31));
  const second = aPod(trainJob, 'two', runningFrom(110), { creationTimestamp: after(110) });
  // 100 seconds and 60 more.
  const world = { ...withSpec(running, { activeDeadlineSeconds: 160 }), pods: [first, second] };
  assert.equal(pass(world, after(169)).plan.status.phase, 'Training');
  assert.equal(pass(told(world, after(170)), after(170)).plan.status.phase, 'Stopping');
});

test('an end by the operator never counts as retries that are used up', () => {
  const world = withTrainJob(inTraining(endedStatus(31)), {
    status: jobCondition('Failed', 'DeadlineExceeded'),
  });
  assert.equal(summary(pass(world, after(200)).plan).reason, 'TrainingInterrupted');
});
