/** What the API server refuses to take is said, counted as waiting, left alone for a while, and forgotten once it is taken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { triedOf } from '../../../operator/decide/checks/refused.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { Observed, Refusal } from '../../../operator/decide/plan.ts';
import {
  after,
  aJob,
  endedStatus,
  observe,
  pass,
  runningStatus,
  unschedulable,
  validated,
} from '../builders.ts';
import {
  type Case,
  fresh,
  inPreflight,
  inTraining,
  preflightJob,
  ready,
  running,
  summary,
  testCases,
  trainJob,
  withSpec,
} from './worlds.ts';

const quota = 'jobs.batch "x" is forbidden: exceeded quota: few, requested: count/jobs.batch=1';

/** Refused for 10 seconds, so the next try comes 10 seconds after the last one. */
function refusal(job: typeof trainJob, kind: Refusal['kind'], changes: Partial<Refusal> = {}): Refusal {
  return { kind, name: job.metadata!.name!, answer: quota, lastedMs: 10_000, agoMs: 1000, ...changes };
}

/** The world whose API server refuses each change of a Job that is planned in it. */
function unchangeable(world: Observed, now?: Date): Observed {
  const patches = pass(world, now).plan.actions.filter(({ kind }) => kind === 'patch');
  assert.ok(patches.length > 0);
  const refusals = patches.map((one) => ({ ...refusal(trainJob, 'patch'), ...triedOf(one) }));
  return { ...world, refusals };
}

const noPreflight = observe({ refusals: [refusal(preflightJob, 'create')] });
const checked = inPreflight(endedStatus(0, validated('check')));
const noTrainer: Observed = { ...checked, refusals: [refusal(trainJob, 'create')] };
const held = pass({ ...withSpec(running, { suspend: true }), pods: [] }).next;
const due = { agoMs: 10_000 };
const tryAgain = (world: Observed): Observed => ({
  ...pass(world).next,
  refusals: world.refusals.map((one) => ({ ...one, ...due })),
});

const cases: Record<string, Case> = {
  'a preflight Job that is refused: the answer is told, once, and nothing is tried yet': {
    given: noPreflight,
    want: {
      phase: 'Pending',
      reason: 'JobRefused',
      category: 'JobRefused',
      does: [],
      says: ['Warning JobRefused'],
    },
    message:
      /^The API server refuses to make Job \S+-preflight: jobs\.batch "x" is forbidden: exceeded quota/,
  },
  'a preflight Job with which the API server fails for long: nobody refused it, and all else is the same': {
    given: observe({ refusals: [refusal(preflightJob, 'create', { answer: 'no answer', isFailure: true })] }),
    want: { phase: 'Pending', reason: 'JobRefused', does: [], says: ['Warning JobRefused'] },
    message: /^The API server fails to make Job \S+-preflight: no answer$/,
  },
  'the same a moment later': { given: pass(noPreflight).next, want: { does: [], says: [] } },
  'once it is time it is tried again, and the status says no more than before': {
    given: tryAgain(noPreflight),
    want: { phase: 'Pending', reason: 'JobRefused', does: ['create preflight'], says: [] },
  },
  'after a restart nothing is known of it, and it is tried at once': {
    given: { ...pass(noPreflight).next, refusals: [] },
    want: { phase: 'Pending', reason: 'JobRefused', does: ['create preflight'], says: [] },
  },
  'a train Job that is refused: preflight has passed all the same': {
    given: noTrainer,
    want: {
      phase: 'Pending',
      reason: 'JobRefused',
      does: [],
      says: ['Normal PreflightPassed', 'Warning JobRefused'],
    },
  },
  'a first refusal may be a matter of a moment': {
    given: observe({ refusals: [refusal(preflightJob, 'create', { lastedMs: 1999, agoMs: 0 })] }),
    want: { phase: 'Preflight', reason: 'PreflightPending', does: ['create preflight'], says: [] },
  },
  'a refusal that the status does not tell any more and that is tried now may be over': {
    given: observe({ refusals: [refusal(preflightJob, 'create', due)] }),
    want: { phase: 'Preflight', reason: 'PreflightPending', does: ['create preflight'], says: [] },
  },
  'a refusal of what is not wanted now is not told': {
    given: { ...fresh, refusals: [refusal(preflightJob, 'create'), refusal(trainJob, 'create')] },
    want: { phase: 'Preflight', reason: 'PreflightPending', does: [] },
  },
  'the Job is there: the run goes on': {
    given: { ...fresh, job: pass(noPreflight).next.job },
    want: { phase: 'Preflight', reason: 'PreflightPending', category: undefined, says: [] },
  },
  'a hold that is refused leaves the trainer at work, and is not called one': {
    given: unchangeable(withSpec(running, { suspend: true })),
    want: { phase: 'Stopping', reason: 'JobRefused', does: [], says: ['Warning JobRefused'] },
    message: /refuses to change Job \S+-train/,
  },
  'a cancel is another change than the hold that is refused: it is tried at once, and nothing is told of it':
    {
      given: withSpec(
        unchangeable(withSpec(running, { suspend: true })),
        { suspend: false, cancel: true },
        3,
      ),
      want: { phase: 'Stopping', reason: 'Cancelled', category: 'Cancelled', does: ['patch train'] },
    },
  'a hold that is tried again is a hold once it is done': {
    given: tryAgain(unchangeable(withSpec(running, { suspend: true }))),
    want: { phase: 'Suspended', reason: 'SuspendedByUser', category: undefined, does: ['patch train'] },
  },
  'a Job that may not go on after a hold': {
    given: unchangeable(withSpec(held, { suspend: false }, 3)),
    want: { phase: 'Pending', reason: 'JobRefused', does: [] },
  },
  'a run whose Job must not be ended is not over': {
    given: unchangeable(inPreflight(endedStatus(137, '', 'OOMKilled'))),
    want: { phase: 'Stopping', reason: 'JobRefused', does: [] },
  },
  'what else is to be done is done': {
    given: {
      ...withSpec(ready, { runId: '2' }),
      refusals: [refusal(preflightJob, 'delete')],
    },
    want: { phase: 'Pending', reason: 'JobRefused', does: ['delete train'] },
    message: /refuses to delete Job \S+-preflight/,
  },
};

testCases(cases);

test('the report of preflight is stored although the train Job is refused', () => {
  const { status } = pass(noTrainer).plan;
  assert.equal(status.preflight?.totalSteps, 21);
  assert.equal(status.conditions?.find(({ type }) => type === 'Validated')?.status, 'True');
});

test('the next try comes after as long as the refusals have lasted, and after five minutes at the latest', () => {
  const next = (changes: Partial<Refusal>) =>
    decide({ ...noPreflight, refusals: [refusal(preflightJob, 'create', changes)] }, after(0)).requeueAfterMs;
  assert.equal(next({}), 9000);
  assert.equal(next({ lastedMs: 3_600_000, agoMs: 0 }), 300_000);
  assert.equal(next({ retryAfterMs: 30_000 }), 29_000, 'or when the API server wants it');
});

test('what is left alone is in the plan all the same, apart from what is done', () => {
  const { actions, withheld = [] } = pass(noTrainer).plan;
  assert.deepEqual(actions, []);
  assert.deepEqual(withheld.map(triedOf), [{ kind: 'create', name: trainJob.metadata?.name }]);
  assert.deepEqual(pass(fresh).plan.withheld, undefined);
});

test('a run that is refused its Job ends at its pending deadline and says why', () => {
  const world = pass({ ...noPreflight, job: aJob({ pendingDeadlineSeconds: 60 }) }).next;
  assert.equal(world.job.status?.waitingSince, '2026-01-01T00:00:00Z');
  // Left alone, tried again, and after a restart.
  for (const refusals of [world.refusals, tryAgain(world).refusals, []]) {
    const { plan } = pass({ ...world, refusals }, after(60));
    assert.deepEqual(summary(plan), {
      phase: 'Failed',
      reason: 'PendingDeadlineExceeded',
      category: 'PendingDeadlineExceeded',
      does: [],
      says: ['Warning PendingDeadlineExceeded'],
    });
    assert.match(plan.status.failure?.message ?? '', /Waited for 1m.*exceeded quota/);
    assert.match(plan.status.failure?.hint ?? '', /set a new runId/, 'nothing is tried again by itself');
  }
});

test('a run that waited too long and whose Job must not be ended waits on', () => {
  const world = pass(
    withSpec(inTraining(unschedulable('0/1 nodes')), { pendingDeadlineSeconds: 60 }),
    after(20),
  ).next;
  const { plan, next } = pass(unchangeable(world, after(90)), after(90));
  assert.equal(plan.status.phase, 'Pending');
  assert.equal(plan.status.waitingSince, world.job.status?.waitingSince);
  assert.equal(pass({ ...next, refusals: [] }, after(91)).plan.status.phase, 'Failed');
});

test('the answer is one clean line, and cut', () => {
  const answer = `no\u001b[31m red\nJobs\u0000 ${'here '.repeat(1000)}`;
  const given = observe({ refusals: [refusal(preflightJob, 'create', { answer })] });
  const { status, events } = pass(given).plan;
  const texts = [
    status.failure?.message,
    events[0]?.message,
    ...(status.conditions ?? []).map((one) => one.message),
  ];
  for (const text of texts) assert.doesNotMatch(text ?? '', /\p{Cc}/u);
  assert.match(status.failure?.message ?? '', /: no red Jobs here here .*…$/);
  assert.ok((status.failure?.message ?? '').length <= 1200);
  assert.ok((events[0]?.message ?? '').length <= 1000);
});

test('a trainer that runs is no matter of a refusal from before', () => {
  const given = { ...inTraining(runningStatus), refusals: [refusal(trainJob, 'create')] };
  assert.equal(pass(given).plan.status.phase, 'Training');
});
