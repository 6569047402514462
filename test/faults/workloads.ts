/** What users and clusters do to a job while faults strike. */
import { setTimeout as sleep } from 'node:timers/promises';
import { labels, stageName } from '../../operator/manifests/names.ts';
import { collections } from './direct-api.ts';
import { failure, nodeLost, outOfDisk, rejected, staysOnce, success } from './endings.ts';
import type { Cast, Role } from './kubelet.ts';
import {
  admission,
  deletedWhen,
  endsUnattended,
  isGone,
  isHeld,
  runsToEnd,
  suspendAndResume,
  trainerRuns,
} from './steps.ts';
import type { World } from './world.ts';

export type Workload = {
  /** Operator processes; more than one without an election = all of them work at once. Default 1. */
  replicas?: number;
  election?: boolean;
  /** Phase of the job in the end, and reason of its condition Ready; or 'gone'. Whatever the operator does, it is this. */
  ends: string;
  /** Pods that train, over the whole run; undefined = it depends on who comes first. */
  trainers?: number;
  /** What the trainer does. Default: it succeeds. */
  trainer?: (cast: Cast) => Role['end'];
  /** What the preflight does. Default: it passes. */
  preflight?: (cast: Cast) => Role['end'];
  /** Whether the status shows in the end what a trainer said when it was stopped. */
  isHeard?: boolean;
  /** Before the operator starts. */
  prepare?: (world: World) => Promise<void>;
  script: (world: World) => Promise<void>;
  /** Paths of the end state that depend on who comes first, the operator or the Job controller. */
  unsettled?: RegExp;
};

export const workloads = {
  success: { ends: 'Succeeded Succeeded', trainers: 1, script: runsToEnd },
  failure: {
    ends: 'Failed TrainingFailed',
    trainers: 1,
    trainer: (cast) => failure(cast, 'DataError', 11),
    script: runsToEnd,
  },
  rejected: {
    ends: 'Rejected GateNotPassed',
    trainers: 1,
    trainer: rejected,
    script: runsToEnd,
  },
  /** Its Job would start another pod, and perhaps does: the operator has to end it. */
  'out-of-disk': {
    ends: 'Failed TrainingFailed',
    trainer: () => outOfDisk,
    script: runsToEnd,
    unsettled:
      /^((CREATE |DELETE )?Pod .* train|Job .* train no\. \d+\.failed$)|\.status\.(usage\.attempts|failure\.attempt|attempt\.(number|podUID|podName|nodeName|startTime))$/,
  },
  'dry-run': {
    ends: 'Validated DryRun',
    trainers: 0,
    script: async (world) => {
      await world.create({ 'spec.dryRun': true });
      await world.ended();
    },
  },
  'suspend-resume': {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: staysOnce,
    script: suspendAndResume,
  },
  cancel: {
    ends: 'Cancelled Cancelled',
    trainers: 1,
    trainer: staysOnce,
    isHeard: true,
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.setSpec({ cancel: true });
      await world.ended();
    },
  },
  'delete-midway': {
    ends: 'gone',
    trainers: 1,
    trainer: () => 'stays',
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.remove(collections.fineTuneJobs, 'spam');
      await isGone(world);
    },
  },
  'delete-in-preflight': {
    ends: 'gone',
    trainers: 0,
    preflight: () => 'stays',
    script: (world) => deletedWhen(world, 'PreflightRunning'),
  },
  'delete-queued': {
    ends: 'gone',
    trainers: 0,
    script: (world) =>
      deletedWhen(world, 'TrainingQueued', { 'metadata.labels': { [labels.queue]: 'team' } }),
  },
  'delete-held': {
    ends: 'gone',
    trainers: 0,
    script: (world) => deletedWhen(world, 'SuspendedByUser', { 'spec.suspend': true }),
  },
  'delete-ended': {
    ends: 'gone',
    trainers: 1,
    script: (world) => deletedWhen(world, 'Succeeded'),
  },
  'delete-unattended': {
    ends: 'gone',
    trainers: 1,
    trainer: () => 'stays',
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.unattended(async () => {
        await world.remove(collections.fineTuneJobs, 'spam');
        await isGone(world);
      });
    },
  },
  'success-unattended': {
    ends: 'Succeeded Succeeded',
    trainers: 1,
    trainer: () => 'stays',
    script: (world) => endsUnattended(world, success, 'Complete'),
  },
  'failure-unattended': {
    ends: 'Failed TrainingFailed',
    trainers: 1,
    trainer: () => 'stays',
    script: (world) => endsUnattended(world, (cast) => failure(cast, 'DataError', 11), 'Failed'),
  },
  recreate: {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: (cast) => (cast.incarnation === 1 ? 'stays' : success(cast)),
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.remove(collections.fineTuneJobs, 'spam');
      await world.create();
      await world.ended();
    },
  },
  /** The children of a deleted job stay, without an owner, beside those of its successor. */
  orphaned: {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: (cast) => (cast.incarnation === 1 ? 'stays' : success(cast)),
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.remove(collections.fineTuneJobs, 'spam', 'Orphan');
      await world.until('the first job is gone', () => world.job() === undefined);
      await world.create();
      await world.ended();
    },
  },
  /** kubectl delete job --cascade=orphan: the trainer runs on, without an owner. */
  'trainer-orphaned': {
    ends: 'Succeeded Succeeded',
    trainers: 1,
    trainer: () => 'stays',
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.remove(collections.jobs, world.batchJob('train')!.metadata!.name!, 'Orphan');
      await world.until('the train Job is gone', () => world.batchJob('train') === undefined);
      await world.noticed(() => world.says('Waiting'));
      await world.endTrainer(success);
      await world.ended();
    },
  },
  rerun: {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    script: async (world) => {
      await world.create();
      await world.ended();
      await world.setSpec({ runId: '2' });
      await world.ended('2');
    },
  },
  'rerun-midway': {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: (cast) => (cast.runId === '1' ? 'stays' : success(cast)),
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.setSpec({ runId: '2' });
      await world.ended('2');
    },
  },
  'node-loss': {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: (cast) => (cast.attempt === 1 ? nodeLost : success(cast)),
    script: runsToEnd,
  },
  retry: {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: (cast) => (cast.attempt === 1 ? failure(cast, 'SourceUnavailable', 30) : success(cast)),
    script: runsToEnd,
  },
  exhausted: {
    ends: 'Failed RetriesExhausted',
    trainers: 2,
    trainer: (cast) => failure(cast, 'SourceUnavailable', 30),
    script: async (world) => {
      await world.create({ 'spec.retry.limit': 1 });
      await world.ended();
    },
  },
  /** Somebody deletes the Job of a running trainer. */
  'child-deleted': {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: staysOnce,
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.remove(collections.jobs, world.batchJob('train')!.metadata!.name!);
      await world.ended();
    },
  },
  /** A Job that is deleted after the end is not made again. */
  'child-deleted-after-end': {
    ends: 'Succeeded Succeeded',
    trainers: 1,
    script: async (world) => {
      await runsToEnd(world);
      for (const stage of ['preflight', 'train']) {
        await world.remove(collections.jobs, world.batchJob(stage)!.metadata!.name!);
      }
      await world.until('the Jobs are gone', () => world.batchJob('train') === undefined);
      await sleep(500);
    },
  },
  /** The object of an ended run goes by itself after a while, and its Jobs with it. */
  expires: {
    ends: 'gone',
    trainers: 1,
    script: async (world) => {
      await world.create({ 'spec.ttlSecondsAfterFinished': 1 });
      await world.ended();
      await isGone(world);
    },
  },
  /** Somebody else's Job stands where a child should be, for a while. */
  'name-taken': {
    ends: 'Succeeded Succeeded',
    trainers: 1,
    prepare: async (world) => {
      const { metadata } = await world.create();
      const name = stageName(metadata, '1', 'preflight');
      const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } };
      const stranger = {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name },
        spec: { suspend: true, template },
      };
      await world.api.call('POST', `/apis/batch/v1/namespaces/${world.namespace}/jobs`, stranger);
    },
    script: async (world) => {
      await world.until('the operator says so', () => world.says('NameTaken'));
      await world.remove(collections.jobs, stageName(world.job()!.metadata, '1', 'preflight'));
      // It looks again by itself as well, a minute after it said so.
      await world.change(collections.fineTuneJobs, 'spam', { metadata: { annotations: { touch: '1' } } });
      await world.ended();
    },
  },
  /** The pod of the trainer never starts. */
  'pending-deadline': {
    ends: 'Failed PendingDeadlineExceeded',
    trainers: 1,
    trainer: () => 'pends',
    script: async (world) => {
      await world.create();
      await world.until('the trainer has a pod', () => world.trainers().length > 0);
      await world.noticed(() => world.says('TrainingPending') && world.job()?.status?.attempt !== undefined);
      await world.setSpec({ pendingDeadlineSeconds: 1 });
      await world.ended();
    },
    // A process that starts after the Job was ended no longer finds the pod that tells what it waited for.
    unsettled: /\.status\.(conditions\.\w+|failure)\.message$/,
  },
  'active-deadline': {
    ends: 'Failed DeadlineExceeded',
    trainers: 1,
    trainer: () => 'stays',
    isHeard: true,
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.setSpec({ activeDeadlineSeconds: 2 });
      await world.ended();
    },
  },
  /** Held when it is used up, and let go on with a larger one. */
  budget: {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: staysOnce,
    script: async (world) => {
      await world.create({ 'spec.resources': { gpus: 1 } });
      await trainerRuns(world);
      await world.setSpec({ budget: { maxCost: '0.0004' } });
      await isHeld(world, 'BudgetExhausted');
      await world.setSpec({ budget: { maxCost: '200' } });
      await world.ended();
    },
  },
  /** Again with half of the rows at a time. */
  'out-of-memory': {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: (cast) => (cast.attempt === 1 ? failure(cast, 'AcceleratorOutOfMemory', 18) : success(cast)),
    script: async (world) => {
      await runsToEnd(world);
      const retries = world.job()?.status?.microBatch?.retries;
      if (retries !== 1) throw new Error(`the batches were made smaller ${retries ?? 0} times, not once`);
    },
  },
  /** A queue lets the Job in, takes it out again and lets it in. */
  eviction: {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    trainer: staysOnce,
    script: async (world) => {
      await world.create({ 'metadata.labels': { [labels.queue]: 'team' } });
      await admission(world, true);
      await trainerRuns(world);
      await admission(world, false);
      await isHeld(world, 'TrainingQueued');
      await admission(world, true);
      await world.ended();
    },
  },
  /** Two processes that both think they lead. */
  'two-leaders': {
    ends: 'Succeeded Succeeded',
    trainers: 2,
    replicas: 2,
    trainer: staysOnce,
    script: suspendAndResume,
  },
  /** Two processes of which one leads; the other takes over. */
  'two-replicas': {
    ends: 'Succeeded Succeeded',
    trainers: 1,
    replicas: 2,
    election: true,
    script: runsToEnd,
  },
} satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof workloads;
