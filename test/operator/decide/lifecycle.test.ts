import type { Observed } from '../../../operator/decide/plan.ts';
import {
  after,
  aJob,
  aRuntime,
  endedStatus,
  failed,
  jobCondition,
  observe,
  pass,
  runningStatus,
  start,
  succeeded,
  trained,
  unschedulable,
  validated,
  waitingStatus,
} from '../builders.ts';

import {
  type Case,
  fresh,
  inPreflight,
  inTraining,
  over,
  preflightJob,
  running,
  testCases,
  trainJob,
  withSpec,
} from './worlds.ts';

/** A world whose job is being deleted and kept by finalizers. */
const leaving = (world: Observed, finalizers: string[]): Observed => {
  const metadata = { ...world.job.metadata, deletionTimestamp: start, finalizers };
  return { ...world, job: { ...world.job, metadata } };
};

const cases: Record<string, Case> = {
  'a new job gets a preflight Job': {
    given: observe(),
    want: {
      phase: 'Preflight',
      reason: 'PreflightPending',
      does: ['create preflight'],
      says: [],
    },
  },
  'a job that another controller works on is left alone': {
    given: observe({ job: aJob({ managedBy: 'kueue.x-k8s.io/multikueue' }) }),
    want: { phase: undefined, does: [], says: [] },
  },
  'a job that names this operator is not': {
    given: observe({ job: aJob({ managedBy: 'finetune.dev/operator' }) }),
    want: { phase: 'Preflight', does: ['create preflight'] },
  },
  'a job that is being deleted is left to the garbage collector': {
    given: observe({ job: aJob({}, { deletionTimestamp: start }) }),
    want: { phase: undefined, does: [], says: [] },
  },
  'also while its children are removed first': {
    given: leaving(running, ['foregroundDeletion']),
    want: { phase: 'Training', does: [], says: [] },
  },
  'also while its children are let go': {
    given: leaving(running, ['orphan', 'example.com/audit']),
    want: { phase: 'Training', does: [], says: [] },
  },
  'a trainer whose job somebody keeps from going is stopped': {
    given: leaving(running, ['example.com/audit']),
    want: { phase: 'Training', does: ['patch train'], says: [] },
  },
  once: {
    given: pass(leaving(running, ['example.com/audit'])).next,
    want: { does: [] },
  },
  'and so is one of an earlier run': {
    given: leaving(withSpec(running, { runId: '2' }), ['example.com/audit']),
    want: { does: ['delete preflight', 'delete train'] },
  },
  'a job that somebody keeps from going gets no Job': {
    given: leaving(observe(), ['example.com/audit']),
    want: { phase: undefined, does: [], says: [] },
  },
  'without its runtime a job waits and says so': {
    given: observe({ runtime: undefined }),
    want: {
      phase: 'Pending',
      reason: 'RuntimeNotFound',
      category: 'RuntimeNotFound',
      does: [],
      says: ['Warning RuntimeNotFound'],
    },
  },
  'a runtime that goes while the trainer runs changes nothing': {
    given: { ...running, runtime: undefined },
    want: { phase: 'Training', reason: 'TrainingRunning', does: [], says: [] },
  },
  'a namespace that the runtime does not allow is refused': {
    given: observe({ runtime: aRuntime({ allowedNamespaces: ['team-b'] }) }),
    want: { phase: 'Pending', reason: 'RuntimeForbidden', category: 'RuntimeForbidden', does: [] },
    message: /namespace "team-a"/,
  },
  'an endpoint that the runtime does not allow is refused': {
    given: observe({ runtime: aRuntime({ allowedEndpoints: ['https://s3.example.com'] }) }),
    want: { reason: 'RuntimeForbidden', does: [] },
    message: /http:\/\/s3\.example\.com:7070/,
  },
  'an allowed endpoint may be written with capitals': {
    given: observe({ runtime: aRuntime({ allowedEndpoints: ['http://S3.example.com:7070'] }) }),
    want: { phase: 'Preflight', does: ['create preflight'] },
  },
  'more memory than the runtime offers is refused': {
    given: observe({ job: aJob({ resources: { memory: '8193Mi' } }) }),
    want: { reason: 'RuntimeForbidden', does: [] },
    message: /memory "8193Mi" \(at most 8Gi\)/,
  },
  'more CPU than the runtime offers is refused': {
    given: observe({ job: aJob({ resources: { cpu: '2001m' } }) }),
    want: { reason: 'RuntimeForbidden', does: [] },
  },
  'as much as the runtime offers is allowed': {
    given: observe({ job: aJob({ resources: { cpu: '2000m', memory: '8192Mi' } }) }),
    want: { phase: 'Preflight', does: ['create preflight'] },
  },
  'the name of the child is taken by somebody else': {
    given: observe({ foreign: [`Job ${preflightJob.metadata?.name}`] }),
    want: {
      phase: 'Pending',
      reason: 'NameTaken',
      category: 'NameTaken',
      does: [],
      says: ['Warning NameTaken'],
    },
  },
  'somebody else uses a name that is not wanted now': {
    given: observe({ foreign: [`Job ${trainJob.metadata?.name}`] }),
    want: { phase: 'Preflight', does: ['create preflight'] },
  },
  'settings that make no run config end the run': {
    given: observe({
      job: { ...aJob(), spec: { ...aJob().spec, training: { ...aJob().spec.training, epochs: '0' } } },
    }),
    want: { phase: 'Failed', reason: 'PreflightFailed', category: 'ConfigError', does: [] },
    message: /spec\.training\.epochs/,
  },
  'a job that is suspended from birth starts nothing': {
    given: observe({ job: aJob({ suspend: true }) }),
    want: { phase: 'Suspended', reason: 'SuspendedByUser', does: [], says: ['Normal SuspendedByUser'] },
  },
  'the preflight pod runs': {
    given: inPreflight(runningStatus),
    want: { phase: 'Preflight', reason: 'PreflightRunning', does: [], says: ['Normal PreflightRunning'] },
  },
  'the preflight image cannot be pulled': {
    given: inPreflight(waitingStatus('ImagePullBackOff', 'Back-off pulling image "x"')),
    want: {
      phase: 'Pending',
      reason: 'PreflightPending',
      category: 'ImagePull',
      says: ['Warning PreflightPending'],
    },
    message: /Back-off pulling image "x"/,
  },
  'the preflight pod waits for volumes: at first that is normal': {
    given: inPreflight(waitingStatus('ContainerCreating')),
    now: after(5),
    want: { phase: 'Preflight', category: undefined },
  },
  'the preflight pod waits for a Secret that does not exist': {
    given: inPreflight(waitingStatus('ContainerCreating')),
    now: after(31),
    want: { phase: 'Pending', category: 'VolumeMount' },
    message: /Secret s3-credentials/,
  },
  'a quota refuses the preflight pod': {
    given: fresh,
    now: after(25),
    want: { phase: 'Pending', category: 'PodRefused' },
  },
  'preflight finds a bad row': {
    given: inPreflight(
      endedStatus(11, failed('check', 'DataError', 'train.jsonl line 7: no column "label"')),
    ),
    want: {
      phase: 'Failed',
      reason: 'PreflightFailed',
      category: 'DataError',
      does: [],
      says: ['Warning PreflightFailed'],
    },
    message: /train\.jsonl line 7/,
  },
  'preflight is killed for memory: its Job is ended': {
    given: inPreflight(endedStatus(137, '', 'OOMKilled')),
    want: {
      phase: 'Failed',
      reason: 'PreflightFailed',
      category: 'HostOutOfMemory',
      does: ['patch preflight'],
    },
  },
  'preflight could not reach the server: its Job tries again': {
    given: inPreflight(endedStatus(30, failed('check', 'SourceUnavailable', 'time-out'))),
    want: { phase: 'Preflight', reason: 'PreflightPending', category: 'SourceUnavailable', does: [] },
  },
  'evicted as it came to its goal, it has, and its Job makes no other pod': {
    given: inTraining({
      ...endedStatus(0, succeeded('one')),
      phase: 'Failed',
      conditions: [{ type: 'DisruptionTarget', status: 'True' }],
    }),
    want: { phase: 'Succeeded', does: ['patch train'] },
  },
  'preflight never reached the server': {
    given: {
      ...inPreflight(endedStatus(30, failed('check', 'SourceUnavailable', 'time-out'))),
      batchJobs: [{ ...preflightJob, ...over('BackoffLimitExceeded') }],
    },
    want: { phase: 'Failed', reason: 'PreflightFailed', category: 'SourceUnavailable' },
  },
  'preflight passes and the train Job is made in the same pass': {
    given: inPreflight(endedStatus(0, validated('check'))),
    want: {
      phase: 'Pending',
      reason: 'TrainingPending',
      does: ['create train'],
      says: ['Normal PreflightPassed'],
    },
  },
  'a dry run ends after preflight': {
    given: {
      ...inPreflight(endedStatus(0, validated('check'))),
      job: { ...fresh.job, spec: { ...fresh.job.spec, dryRun: true } },
    },
    want: {
      phase: 'Validated',
      reason: 'DryRun',
      does: [],
      says: ['Normal PreflightPassed', 'Normal DryRun'],
    },
  },
  'the report of preflight is lost with its pod': {
    given: { ...fresh, batchJobs: [{ ...preflightJob, status: jobCondition('Complete', 'Done') }] },
    want: { phase: 'Preflight', does: ['delete preflight'] },
  },
  'with a queue the train Job waits for it': {
    given: trained({}, { queueName: 'gpus' }).next,
    want: { phase: 'Queued', reason: 'TrainingQueued', does: [], says: [] },
  },
  'no room for the trainer yet: the pod of preflight may still hold its place': {
    given: inTraining(unschedulable('0/1 nodes are available: 1 Insufficient cpu.')),
    now: after(3),
    want: { phase: 'Pending', reason: 'TrainingPending', category: undefined },
  },
  'more accelerators than there are': {
    given: inTraining(unschedulable('0/1 nodes are available: 1 Insufficient nvidia.com/gpu.')),
    now: after(11),
    want: {
      phase: 'Pending',
      reason: 'TrainingPending',
      category: 'Unschedulable',
      says: ['Warning TrainingPending'],
    },
    message: /Insufficient nvidia\.com\/gpu/,
  },
  'a claim that does not exist': {
    given: inTraining(unschedulable('persistentvolumeclaim "data" not found')),
    now: after(11),
    want: { phase: 'Pending', category: 'VolumeMount' },
  },
  'the trainer runs': {
    given: inTraining(runningStatus),
    want: { phase: 'Training', reason: 'TrainingRunning', does: [], says: ['Normal TrainingRunning'] },
  },
};

testCases(cases);
