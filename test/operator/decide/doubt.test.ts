import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../../operator/decide/decide.ts';
import { planInDoubt, podsInDoubt, withEnded } from '../../../operator/decide/doubt.ts';
import type { Observed } from '../../../operator/decide/plan.ts';
import { viewRun } from '../../../operator/decide/run.ts';
import {
  after,
  aJob,
  aPod,
  endedStatus,
  failed,
  interrupted,
  jobCondition,
  observe,
  pass,
  runningStatus,
  start,
  succeeded,
  trained,
  validated,
} from '../builders.ts';
import { actedOn, told } from './worlds.ts';

const inDoubt = (world: Observed) => podsInDoubt(viewRun(world, start));

/** A world whose train Job is over, with these pods in the cache. */
function over(type: 'Complete' | 'Failed', ...pods: Parameters<typeof aPod>[2][]): Observed {
  const { next, trainJob } = trained();
  const status = jobCondition(type, 'Done');
  return {
    ...next,
    batchJobs: next.batchJobs.map((job) => (job === trainJob ? { ...job, status } : job)),
    pods: [
      ...next.pods,
      ...pods.map((podStatus, i) => aPod(trainJob, `t${i}`, podStatus, { creationTimestamp: after(i) })),
    ],
  };
}

/** The same, with a run that has come to its end. */
function ending(world: Observed): Observed {
  const status = { ...world.job.status, completionTime: '2026-01-01T00:00:00Z' };
  return { ...world, job: { ...world.job, status } };
}

describe('pods are read anew', () => {
  const cases: Record<string, { world: Observed; want: boolean }> = {
    'not when a job is new': { world: observe(), want: false },
    'not while preflight runs': { world: pass(observe()).next, want: false },
    'not for the first train Job': {
      world: (() => {
        const { next } = pass(observe());
        return { ...next, pods: [aPod(next.batchJobs[0]!, 'check', endedStatus(0, validated('check')))] };
      })(),
      want: false,
    },
    'not when the pod of a Job that is over tells the result': {
      world: over('Complete', endedStatus(0, succeeded('t0'))),
      want: false,
    },
    'when the Job is over and its pod seems to run': { world: over('Complete', runningStatus), want: true },
    'when the Job is over and no pod is known': { world: over('Complete'), want: true },
    'when the Job is complete and the last known pod was stopped': {
      world: over('Complete', endedStatus(143, interrupted('t0'))),
      want: true,
    },
    'when the Job has failed and a newer pod may tell more than the last known one': {
      world: over('Failed', endedStatus(30, failed('t0', 'SourceUnavailable', 'no answer'))),
      want: true,
    },
    'not when the pod of a preflight is gone that was reported': {
      world: { ...trained().next, pods: [] },
      want: false,
    },
    'not when nothing is made of it: the run has ended': {
      world: ending(over('Complete')),
      want: false,
    },
    'not when nothing is made of it: the job is being deleted': {
      world: (() => {
        const world = over('Complete');
        const metadata = { ...world.job.metadata, deletionTimestamp: start };
        return { ...world, job: { ...world.job, metadata } };
      })(),
      want: false,
    },
  };
  for (const [name, { world, want }] of Object.entries(cases)) {
    it(name, () => assert.equal(inDoubt(world), want));
  }
});

describe('pods that were read anew', () => {
  const { trainJob } = trained();
  const pod = (name: string, status: Parameters<typeof aPod>[2]) => aPod(trainJob, name, status);
  const ended = pod('t0', endedStatus(143, interrupted('t0')));
  const uids = (pods: ReturnType<typeof aPod>[]) => pods.map(({ metadata }) => metadata?.uid);

  it('keep what a pod said at its end that is gone by then', () => {
    assert.deepEqual(uids(withEnded([], [ended])), ['t0']);
    assert.deepEqual(uids(withEnded([pod('t1', runningStatus)], [ended])), ['t1', 't0']);
  });

  it('leave out a pod that seemed to run and is gone', () => {
    assert.deepEqual(withEnded([], [pod('t0', runningStatus)]), []);
  });

  it('count each pod once, as it was read', () => {
    const newer = pod('t0', endedStatus(0, succeeded('t0')));
    assert.deepEqual(withEnded([newer], [ended]), [newer]);
  });
});

describe('all is read anew', () => {
  const { next, trainJob } = trained();
  const { next: checking } = pass(observe());
  const passedPod = aPod(checking.batchJobs[0]!, 'check', endedStatus(0, validated('check')));
  const wanting = (world: Observed, spec: object): Observed => ({
    ...world,
    job: { ...world.job, spec: { ...world.job.spec, ...spec } },
  });
  const withPod = (status: Parameters<typeof aPod>[2], world = next): Observed => ({
    ...world,
    pods: [aPod(trainJob, 'one', status)],
  });
  const held = pass(wanting(next, { suspend: true })).next;
  const waiting = pass(wanting(next, { pendingDeadlineSeconds: 60 })).next;
  const training = pass(withPod(runningStatus)).next;
  const deadline = { activeDeadlineSeconds: 60 };
  const cases: Record<string, [Observed, boolean, Date?]> = {
    'before a Job goes on that was held for the user': [wanting(held, { suspend: false }), true],
    'before a Job is held': [wanting(next, { suspend: true }), true],
    'not while the user wants it held': [held, false],
    'not where the first Job is made': [observe(), false],
    'not where the first train Job is made': [{ ...checking, pods: [passedPod] }, false],
    'before a Job is made again that went, perhaps with the job, and may have left a pod': [
      { ...next, batchJobs: next.batchJobs.filter((job) => job !== trainJob) },
      true,
    ],
    'before the first Job of another run': [
      { ...observe(), job: { ...aJob({ runId: '2' }), status: { runId: '1' } } },
      true,
    ],
    'before a Job is ended that goes on after the end of its run': [ending(next), true],
    'not where nothing is done': [next, false],

    'before a run ends that waited for too long: its pod may run': [waiting, true, after(60)],
    'not before': [waiting, false, after(59)],
    'before a run ends that waited for a runtime': [
      pass(observe({ job: aJob({ pendingDeadlineSeconds: 60 }), runtime: undefined })).next,
      true,
      after(60),
    ],
    'before a run is cancelled that seems to have no pod': [wanting(next, { cancel: true }), true],
    'before a run is cancelled that seems to have no Job': [observe({ job: aJob({ cancel: true }) }), true],
    'before a status tells that a limit is reached: the trainer may have ended before': [
      wanting(training, deadline),
      true,
      after(60),
    ],
    'not while it is not reached': [wanting(training, deadline), false, after(59)],
    'not once the status tells it': [
      told(wanting(training, { budget: { maxGpuHours: '1' } }), after(2880)),
      false,
      after(2900),
    ],
    'before a trainer is stopped at its deadline: it may have ended': [
      told(wanting(training, deadline), after(60)),
      true,
      after(60),
    ],
    'before the run ends of which the trainer was stopped': [
      withPod(endedStatus(143, interrupted('one')), actedOn(wanting(training, deadline), after(60))),
      true,
      after(70),
    ],
    'before a trainer is stopped at its budget': [
      told(wanting(training, { budget: { maxGpuHours: '0.01' } }), after(36)),
      true,
      after(36),
    ],
    'before a run fails for its settings: the runtime may be another one': [
      observe({ job: aJob({ resources: { memory: '1Mi' } }) }),
      true,
    ],
    'not when a trainer says that it succeeded': [withPod(endedStatus(0, succeeded('one'))), false],
    'not when a trainer says that it failed': [
      withPod(endedStatus(11, failed('one', 'DataError', 'no rows'))),
      false,
    ],
    'not when preflight ends a dry run': [
      { ...wanting(checking, { dryRun: true }), pods: [passedPod] },
      false,
    ],
    'not when the time of a job is over: its version guards it': [
      (() => {
        const { next: done } = pass(withPod(endedStatus(0, succeeded('one'))));
        const metadata = { ...done.job.metadata, resourceVersion: '7' };
        return wanting({ ...done, job: { ...done.job, metadata } }, { ttlSecondsAfterFinished: 0 });
      })(),
      false,
      after(1000),
    ],
  };
  for (const [name, [world, want, now = start]] of Object.entries(cases)) {
    it(name, () => assert.equal(planInDoubt(decide(world, now), viewRun(world, now), start), want));
  }
});
