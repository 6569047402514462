/** What users and clusters do to a job while faults strike. */
import { setTimeout as sleep } from 'node:timers/promises';
import { stageName } from '../../operator/manifests/names.ts';
import { failed, rejected, succeeded } from '../operator/builders.ts';
import { collections } from './direct-api.ts';
import { type Cast, type End, passed, type Role } from './kubelet.ts';
import type { World } from './world.ts';

export type Workload = {
  /** Operator processes; more than one without an election = all of them work at once. Default 1. */
  replicas?: number;
  election?: boolean;
  /** What the trainer does; preflight always passes. Default: it succeeds. */
  trainer?: (cast: Cast) => End | 'stays';
  /** Whether the status shows in the end what a trainer said when it was stopped. */
  isHeard?: boolean;
  /** Before the operator starts. */
  prepare?: (world: World) => Promise<void>;
  script: (world: World) => Promise<void>;
  /** Paths of the end state that depend on who comes first, the operator or the Job controller. */
  unsettled?: RegExp;
};

const identity = ({ jobUid, runId }: Cast) => ({ jobUid, runId });

const success = (cast: Cast): End => ({
  exitCode: 0,
  message: { ...succeeded(cast.podUid), ...identity(cast) },
});

function failure(cast: Cast, category: Parameters<typeof failed>[1], exitCode: number): End {
  return { exitCode, message: { ...failed(cast.podUid, category, 'as the script says'), ...identity(cast) } };
}

const nodeLost: End = {
  exitCode: 137,
  message: '',
  status: {
    phase: 'Failed',
    conditions: [
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'the node is gone',
      },
    ],
  },
};

const outOfDisk: End = {
  exitCode: 137,
  message: '',
  status: {
    phase: 'Failed',
    reason: 'Evicted',
    message: 'Usage of EmptyDir volume "work" exceeds the limit "64Gi".',
  },
};

/** The first trainer of each run stays until it is deleted, the others succeed. */
const staysOnce = (cast: Cast) => (cast.attempt === 1 ? 'stays' : success(cast));
/** Step of the checkpoint that a played trainer saves when it is stopped. */
const interruptedAt = 20;
const trains = (world: World) => () => world.says('TrainingRunning');
const trainerRuns = async (world: World) => {
  await world.until('a trainer runs', () =>
    world.trainers().some(({ status }) => status?.phase === 'Running'),
  );
  await world.noticed(trains(world));
  // Pods of one second cannot be told apart by age.
  await sleep(1100);
};
const runsToEnd = async (world: World) => {
  await world.create();
  await world.ended();
};

async function suspendAndResume(world: World): Promise<void> {
  await world.create();
  await trainerRuns(world);
  await world.setSpec({ suspend: true });
  await world.until('no trainer is left', () => world.trainers().length === 0);
  await world.noticed(() => world.says('SuspendedByUser'));
  // A quiet moment: only the watch of the jobs tells of what comes next.
  await sleep(1500);
  await world.setSpec({ suspend: false });
  await world.ended();
}

export const workloads = {
  success: { script: runsToEnd },
  failure: { trainer: (cast) => failure(cast, 'DataError', 11), script: runsToEnd },
  rejected: {
    trainer: (cast) => ({ exitCode: 0, message: { ...rejected(cast.podUid), ...identity(cast) } }),
    script: runsToEnd,
  },
  /** Its Job would start another pod, and perhaps does: the operator has to end it. */
  'out-of-disk': {
    trainer: () => outOfDisk,
    script: runsToEnd,
    unsettled: /^(Pod|(CREATE|DELETE) Pod) .*train|failed$|attempt|podUID|podName/,
  },
  'dry-run': {
    script: async (world) => {
      await world.create({ 'spec.dryRun': true });
      await world.ended();
    },
  },
  'suspend-resume': { trainer: staysOnce, script: suspendAndResume },
  cancel: {
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
    trainer: () => 'stays',
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.remove(collections.fineTuneJobs, 'spam');
      await world.until(
        'everything is gone',
        () => world.trainers().length === 0 && world.job() === undefined,
      );
    },
  },
  recreate: {
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
  rerun: {
    script: async (world) => {
      await world.create();
      await world.ended();
      await world.setSpec({ runId: '2' });
      await world.ended('2');
    },
  },
  'rerun-midway': {
    trainer: (cast) => (cast.runId === '1' ? 'stays' : success(cast)),
    script: async (world) => {
      await world.create();
      await trainerRuns(world);
      await world.setSpec({ runId: '2' });
      await world.ended('2');
    },
  },
  'node-loss': { trainer: (cast) => (cast.attempt === 1 ? nodeLost : success(cast)), script: runsToEnd },
  retry: {
    trainer: (cast) => (cast.attempt === 1 ? failure(cast, 'SourceUnavailable', 30) : success(cast)),
    script: runsToEnd,
  },
  exhausted: {
    trainer: (cast) => failure(cast, 'SourceUnavailable', 30),
    script: async (world) => {
      await world.create({ 'spec.retry.limit': 1 });
      await world.ended();
    },
  },
  /** Somebody deletes the Job of a running trainer. */
  'child-deleted': {
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
    script: async (world) => {
      await world.create({ 'spec.ttlSecondsAfterFinished': 1 });
      await world.ended();
      const isGone = () => ['preflight', 'train'].every((stage) => world.batchJob(stage) === undefined);
      await world.until('the job and its Jobs are gone', () => world.job() === undefined && isGone());
    },
  },
  /** Somebody else's Job stands where a child should be, for a while. */
  'name-taken': {
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
    script: (world) => world.until('the operator says so', () => world.says('NameTaken')),
  },
  /** Two processes that both think they lead. */
  'two-leaders': { replicas: 2, trainer: staysOnce, script: suspendAndResume },
  /** Two processes of which one leads; the other takes over. */
  'two-replicas': { replicas: 2, election: true, script: runsToEnd },
} satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof workloads;

/** What the pods of a workload do, and what the operator should have noticed before they end. */
export function roleOf({ trainer = success, isHeard = false }: Workload, world: World, cast: Cast): Role {
  const status = () => world.job()?.status;
  if (cast.stage === 'preflight') {
    return {
      before: () => world.noticed(() => status()?.phase === 'Preflight' && world.says('PreflightRunning')),
      end: passed(cast),
    };
  }
  const heard = () => status()?.attempt?.podUID === cast.podUid && status()?.progress?.step === 10;
  const saved = () => status()?.checkpoints?.[0]?.step === interruptedAt;
  const after = () => world.noticed(saved);
  return { before: () => world.noticed(heard), end: trainer(cast), ...(isHeard && { after }) };
}
