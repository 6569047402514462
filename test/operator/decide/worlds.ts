/** Jobs at every station of their way, and what a person sees of a plan. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import type { Observed, Plan } from '../../../operator/decide/plan.ts';
import { labels } from '../../../operator/manifests/names.ts';
import {
  after,
  aPod,
  endedStatus,
  jobCondition,
  observe,
  pass,
  runningStatus,
  start,
  succeeded,
  trained,
} from '../builders.ts';

/** What a person sees, and what is done. */
export function summary({ status, actions, events }: Plan) {
  const condition = (type: string) => status.conditions?.find((one) => one.type === type);
  return {
    phase: status.phase,
    reason: condition('Ready')?.reason,
    category: status.failure?.category,
    does: actions.map((action) =>
      action.kind === 'create'
        ? `create ${action.object.metadata?.name?.split('-').at(-1)}`
        : `${action.kind} ${action.name.split('-').at(-1)}`,
    ),
    says: events.map((event) => `${event.type} ${event.reason}`),
  };
}

export type Case = {
  given: Observed;
  now?: Date;
  want: Partial<ReturnType<typeof summary>>;
  message?: RegExp;
};

export const fresh = pass(observe()).next;
export const preflightJob = fresh.batchJobs[0]!;
export const inPreflight = (status: V1Pod['status'], metadata: object = {}): Observed => ({
  ...fresh,
  pods: [aPod(preflightJob, 'check', status, metadata)],
});
export const { next: ready, trainJob } = trained();
export const inTraining = (status: V1Pod['status'], metadata: object = {}): Observed => ({
  ...ready,
  pods: [aPod(trainJob, 'one', status, metadata)],
});
export const running = pass(inTraining(runningStatus)).next;
/** A pod of the train Job. */
export const attempt = (uid: string, createdAt: number, status: V1Pod['status']): V1Pod =>
  aPod(trainJob, uid, status, { creationTimestamp: after(createdAt) });

/** Its container ran from one second to another. */
export function endedAfter(
  from: number,
  to: number,
  exitCode: number,
  message: unknown = '',
): NonNullable<V1Pod['status']> {
  const status = endedStatus(exitCode, message);
  Object.assign(status.containerStatuses![0]!.state!.terminated!, {
    startedAt: after(from),
    finishedAt: after(to),
  });
  return status;
}

/** The train Job was removed without its pod (kubectl delete --cascade=orphan). */
export const orphan = (status: V1Pod['status'], metadata: object = {}): V1Pod => {
  const made = { ...trainJob.metadata?.labels, [labels.batchJob]: trainJob.metadata?.name ?? '' };
  return aPod(trainJob, 'one', status, { ownerReferences: undefined, labels: made, ...metadata });
};
export const ended = pass(inTraining(endedStatus(0, succeeded('one'))), after(100)).next;
export const without = (world: Observed, stage: string): Observed => ({
  ...world,
  batchJobs: world.batchJobs.filter(({ metadata }) => !metadata?.name?.endsWith(stage)),
});
export const withTrainJob = (world: Observed, changes: object): Observed => ({
  ...world,
  batchJobs: world.batchJobs.map((job) =>
    job === trainJob || job.metadata?.uid === trainJob.metadata?.uid ? { ...job, ...changes } : job,
  ),
});
export const withSpec = (world: Observed, spec: object, generation = 2): Observed => ({
  ...world,
  job: {
    ...world.job,
    metadata: { ...world.job.metadata, generation },
    spec: { ...world.job.spec, ...spec },
  },
});
/** After the pass in which the status tells that a limit is reached. */
export const told = (world: Observed, at: Date): Observed => pass(world, at).next;
/** After the pass that acts on it. */
export const actedOn = (world: Observed, at: Date): Observed => pass(told(world, at), at).next;
export const over = (reason: string, message = '') => ({ status: jobCondition('Failed', reason, message) });

/** A test for each case; `want` names only what matters. */
export function testCases(cases: Record<string, Case>): void {
  for (const [name, { given, now = start, want, message }] of Object.entries(cases)) {
    test(name, () => {
      const { plan } = pass(given, now);
      const got = summary(plan);
      assert.deepEqual({ ...got, ...want }, got);
      if (message)
        assert.match(plan.status.conditions?.find(({ type }) => type === 'Ready')?.message ?? '', message);
    });
  }
}
