import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../../operator/decide/decide.ts';
import { jobInDoubt, podsInDoubt, withEnded } from '../../../operator/decide/doubt.ts';
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
    'when the train Job is gone and a pod of it may live': {
      world: (() => {
        const { next, trainJob } = trained();
        return { ...next, batchJobs: next.batchJobs.filter((job) => job !== trainJob) };
      })(),
      want: true,
    },
    'when a new run starts and a pod of the old one may live': {
      world: { ...observe(), job: { ...aJob({ runId: '2' }), status: { runId: '1' } } },
      want: true,
    },
    'when the run has ended and a Job of it seems to go on': {
      world: (() => {
        const { next } = trained();
        const status = { ...next.job.status, completionTime: '2026-01-01T00:00:00Z' };
        return { ...next, job: { ...next.job, status } };
      })(),
      want: true,
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

describe('the job is read anew', () => {
  const { next, trainJob } = trained();
  const { next: checking } = pass(observe());
  const passedPod = aPod(checking.batchJobs[0]!, 'check', endedStatus(0, validated('check')));
  const wanting = (world: Observed, suspend: boolean): Observed => ({
    ...world,
    job: { ...world.job, spec: { ...world.job.spec, suspend } },
  });
  const held = pass(wanting(next, true)).next;
  const cases: Record<string, [Observed, boolean]> = {
    'before a Job goes on that was held for the user': [wanting(held, false), true],
    'before a Job is held': [wanting(next, true), true],
    'not while the user wants it held': [held, false],
    'not where the first Job is made': [observe(), false],
    'not where the first train Job is made': [{ ...checking, pods: [passedPod] }, false],
    'before a Job is made again that went, perhaps with the job': [
      { ...next, batchJobs: next.batchJobs.filter((job) => job !== trainJob) },
      true,
    ],
    'not where nothing is done': [next, false],
  };
  for (const [name, [world, want]] of Object.entries(cases)) {
    it(name, () => assert.equal(jobInDoubt(decide(world, start), viewRun(world, start)), want));
  }
});
