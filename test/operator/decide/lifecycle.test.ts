/** The ways of a job through its states, as tables: what is there in, what has to be said and done out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import type { Observed, Plan } from '../../../operator/decide/plan.ts';
import {
  aBatchJob,
  after,
  aJob,
  aPod,
  aRuntime,
  endedStatus,
  failed,
  interrupted,
  jobCondition,
  jobUid,
  observe,
  pass,
  progressOf,
  rejected,
  runningStatus,
  start,
  succeeded,
  trained,
  unschedulable,
  validated,
  waitingStatus,
} from '../builders.ts';

/** What a person sees, and what is done. */
function summary({ status, actions, events }: Plan) {
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

type Case = {
  given: Observed;
  now?: Date;
  want: Partial<ReturnType<typeof summary>>;
  message?: RegExp;
};

const fresh = pass(observe()).next;
const preflightJob = fresh.batchJobs[0]!;
const inPreflight = (status: V1Pod['status'], metadata: object = {}): Observed => ({
  ...fresh,
  pods: [aPod(preflightJob, 'check', status, metadata)],
});
const { next: ready, trainJob } = trained();
const inTraining = (status: V1Pod['status'], metadata: object = {}): Observed => ({
  ...ready,
  pods: [aPod(trainJob, 'one', status, metadata)],
});
const running = pass(inTraining(runningStatus)).next;
const ended = pass(inTraining(endedStatus(0, succeeded('one')))).next;
const without = (world: Observed, stage: string): Observed => ({
  ...world,
  batchJobs: world.batchJobs.filter(({ metadata }) => !metadata?.name?.endsWith(stage)),
});
const withTrainJob = (world: Observed, changes: object): Observed => ({
  ...world,
  batchJobs: world.batchJobs.map((job) =>
    job === trainJob || job.metadata?.uid === trainJob.metadata?.uid ? { ...job, ...changes } : job,
  ),
});
const withSpec = (world: Observed, spec: object, generation = 2): Observed => ({
  ...world,
  job: {
    ...world.job,
    metadata: { ...world.job.metadata, generation },
    spec: { ...world.job.spec, ...spec },
  },
});
const over = (reason: string, message = '') => ({ status: jobCondition('Failed', reason, message) });

const cases: Record<string, Case> = {
  'a new job gets a preflight Job': {
    given: observe(),
    want: {
      phase: 'Preflight',
      reason: 'PreflightPending',
      does: ['create preflight'],
      says: ['Normal PreflightPending'],
    },
  },
  'a job that is being deleted is left to the garbage collector': {
    given: observe({ job: aJob({}, { deletionTimestamp: start }) }),
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
    want: { phase: 'Pending', reason: 'NameTaken', category: 'NameTaken', does: [] },
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
      says: ['Normal PreflightPassed', 'Normal TrainingPending'],
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
  'more accelerators than there are': {
    given: inTraining(unschedulable('0/1 nodes are available: 1 Insufficient nvidia.com/gpu.')),
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
    want: { phase: 'Pending', category: 'VolumeMount' },
  },
  'the trainer runs': {
    given: inTraining(runningStatus),
    want: { phase: 'Training', reason: 'TrainingRunning', does: [], says: ['Normal TrainingRunning'] },
  },
  'the trainer pod is deleted by hand and stops': {
    given: { ...running, pods: [aPod(trainJob, 'one', runningStatus, { deletionTimestamp: after(5) })] },
    want: {
      phase: 'Training',
      reason: 'TrainingInterrupted',
      does: [],
      says: ['Warning TrainingInterrupted'],
    },
  },
  'the trainer saved a checkpoint and ended because its pod was deleted': {
    given: {
      ...running,
      pods: [aPod(trainJob, 'one', endedStatus(143, interrupted('one')), { deletionTimestamp: after(5) })],
    },
    want: { phase: 'Training', reason: 'TrainingInterrupted', category: 'Interrupted', does: [] },
  },
  'a pod that died before it could answer SIGTERM used up the only try: the Job is made again': {
    given: {
      ...withTrainJob(running, over('BackoffLimitExceeded')),
      pods: [aPod(trainJob, 'one', endedStatus(137), { deletionTimestamp: after(5) })],
    },
    now: after(200),
    want: { phase: 'Pending', reason: 'TrainingInterrupted', does: ['delete train'] },
  },
  'a Job that has to be made again waits a little, or pods could come and go without a pause': {
    given: {
      ...withTrainJob(running, over('BackoffLimitExceeded')),
      pods: [aPod(trainJob, 'one', endedStatus(137), { deletionTimestamp: after(5) })],
    },
    now: after(101),
    want: { reason: 'TrainingInterrupted', does: [] },
  },
  'the pod is preempted': {
    given: inTraining({
      ...endedStatus(137),
      conditions: [
        { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler', message: 'preempting' },
      ],
    }),
    want: { phase: 'Training', reason: 'TrainingInterrupted', category: 'NodeLost', does: [] },
  },
  'the pod is evicted because it filled its disk: that would come again': {
    given: inTraining({
      ...endedStatus(143),
      reason: 'Evicted',
      message: 'Usage of EmptyDir volume "work" exceeds the limit "64Gi".',
    }),
    want: { phase: 'Failed', category: 'Internal', does: ['patch train'] },
  },
  'the kubelet refuses the pod again and again': {
    given: withTrainJob(
      inTraining({ phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'Allocate failed' }),
      over('BackoffLimitExceeded'),
    ),
    want: { phase: 'Failed', reason: 'RetriesExhausted', category: 'Unschedulable' },
    message: /Allocate failed/,
  },
  'the trainer fails in a way that may pass': {
    given: inTraining(endedStatus(31, 'Error: oops\n    at main')),
    want: {
      phase: 'Training',
      reason: 'TrainingRetrying',
      category: 'Internal',
      does: [],
      says: ['Warning TrainingRetrying'],
    },
  },
  'the trainer failed too often': {
    given: withTrainJob(inTraining(endedStatus(31, 'Error: oops')), over('BackoffLimitExceeded')),
    want: { phase: 'Failed', reason: 'RetriesExhausted', category: 'Internal', does: [] },
  },
  'the trainer failed too often and its pods are gone: status remembers why': {
    given: withTrainJob(
      { ...pass(inTraining(endedStatus(31, 'Error: oops'))).next, pods: [] },
      over('BackoffLimitExceeded'),
    ),
    want: { phase: 'Failed', reason: 'RetriesExhausted', category: 'Internal', does: [] },
  },
  'the only pod was deleted before anybody saw how it ended: the Job is made again': {
    given: withTrainJob(ready, over('BackoffLimitExceeded')),
    want: { phase: 'Pending', reason: 'TrainingInterrupted', does: ['delete train'] },
  },
  'the pod is gone, but the Job knows its exit code': {
    given: withTrainJob(
      ready,
      over(
        'PodFailurePolicy',
        'Container trainer for pod a/b failed with exit code 16 matching FailJob rule at index 0',
      ),
    ),
    want: { phase: 'Failed', reason: 'TrainingFailed', category: 'NonFiniteLoss', does: [] },
  },
  'the loss became NaN': {
    given: inTraining(endedStatus(16, failed('one', 'NonFiniteLoss', 'loss is NaN at step 7'))),
    want: { phase: 'Failed', reason: 'TrainingFailed', category: 'NonFiniteLoss', does: [] },
    message: /step 7/,
  },
  'the trainer is killed for memory: no other pod may burn time': {
    given: inTraining(endedStatus(137, '', 'OOMKilled')),
    want: { phase: 'Failed', reason: 'TrainingFailed', category: 'HostOutOfMemory', does: ['patch train'] },
    message: /limit of 8Gi/,
  },
  'nobody looked while the trainer was killed for memory and started again': {
    given: {
      ...ready,
      pods: [
        aPod(trainJob, 'two', runningStatus, { creationTimestamp: after(120) }),
        aPod(trainJob, 'one', endedStatus(137, '', 'OOMKilled')),
      ],
    },
    want: { phase: 'Failed', category: 'HostOutOfMemory', does: ['patch train'] },
  },
  'the trainer is killed from outside: that may pass': {
    given: inTraining(endedStatus(137)),
    want: { phase: 'Training', reason: 'TrainingRetrying', category: 'Internal', does: [] },
    message: /signal 9/,
  },
  'the trainer succeeds': {
    given: inTraining(endedStatus(0, succeeded('one'))),
    want: { phase: 'Succeeded', reason: 'Succeeded', does: [], says: ['Normal Succeeded'] },
  },
  'the trainer succeeded and its Job was deleted right after': {
    given: withTrainJob(inTraining(endedStatus(0, succeeded('one'))), {
      metadata: { ...trainJob.metadata, deletionTimestamp: after(101) },
    }),
    want: { phase: 'Succeeded', does: [] },
  },
  'the model does not pass the gate': {
    given: inTraining(endedStatus(0, rejected('one'))),
    want: { phase: 'Rejected', reason: 'GateNotPassed', does: [], says: ['Warning GateNotPassed'] },
    message: /below the minimum/,
  },
  'the train Job is complete and its pod is gone: it is made again and ends at once from its checkpoint': {
    given: withTrainJob(ready, { status: jobCondition('Complete', 'Done') }),
    want: { phase: 'Pending', does: ['delete train'] },
  },
  'the train Job is deleted by hand': {
    given: without(ready, '-train'),
    want: { phase: 'Pending', reason: 'TrainingPending', does: ['create train'] },
  },
  'the train Job is being deleted': {
    given: withTrainJob(ready, { metadata: { ...trainJob.metadata, deletionTimestamp: after(5) } }),
    want: { phase: 'Pending', reason: 'TrainingInterrupted', does: [] },
  },
  'the train Job was deleted and its pod still saves a checkpoint: no second trainer': {
    given: without({ ...running, pods: [aPod(trainJob, 'one', runningStatus)] }, '-train'),
    want: { phase: 'Pending', reason: 'Waiting', does: [] },
    message: /-train-one/,
  },
  'a finished run stays when all its children go': {
    given: { ...ended, batchJobs: [], pods: [], runtime: undefined },
    want: { phase: 'Succeeded', does: [], says: [] },
  },
  'a finished run stays when it is suspended': {
    given: withSpec(ended, { suspend: true }),
    want: { phase: 'Succeeded', does: [], says: [] },
  },
  'a finished run does not end the Job whose pod succeeded': {
    given: ended,
    want: { phase: 'Succeeded', does: [] },
  },
  'a failed run whose Job could still start a pod ends that Job': {
    given: {
      ...ready,
      job: {
        ...ready.job,
        status: { ...ready.job.status, phase: 'Failed', completionTime: '2026-01-01T00:00:00Z' },
      },
    },
    want: { phase: 'Failed', does: ['patch train'] },
  },
  'a running job is suspended': {
    given: withSpec(running, { suspend: true }),
    want: {
      phase: 'Suspended',
      reason: 'SuspendedByUser',
      does: ['patch train'],
      says: ['Normal SuspendedByUser'],
    },
    message: /checkpoint/,
  },
  'a job is suspended during preflight': {
    given: withSpec(inPreflight(runningStatus), { suspend: true }),
    want: { phase: 'Suspended', does: ['patch preflight'] },
  },
  'a suspended job goes on': {
    given: withSpec(pass(withSpec(running, { suspend: true })).next, { suspend: false }, 3),
    want: {
      phase: 'Pending',
      reason: 'TrainingPending',
      does: ['patch train'],
      says: ['Normal Resumed', 'Normal TrainingPending'],
    },
  },
  'a Job that somebody else holds is left alone': {
    given: withTrainJob(ready, { spec: { ...trainJob.spec, suspend: true } }),
    want: { phase: 'Queued', reason: 'TrainingQueued', does: [] },
  },
  'the trainer succeeded before it could be suspended': {
    given: withSpec(inTraining(endedStatus(0, succeeded('one'))), { suspend: true }),
    want: { phase: 'Succeeded', does: [] },
  },
  'a new runId deletes the Jobs of the run before': {
    given: withSpec(ended, { runId: '2' }),
    want: {
      phase: 'Pending',
      reason: 'NewRun',
      does: ['delete preflight', 'delete train'],
      says: ['Normal NewRun'],
    },
  },
  'a new run waits for the pod of the run before': {
    given: {
      ...withSpec({ ...running, batchJobs: [] }, { runId: '2' }),
      pods: [aPod(trainJob, 'one', runningStatus)],
    },
    want: { phase: 'Pending', reason: 'NewRun', does: [] },
  },
  'a new run starts once nothing is left': {
    given: withSpec({ ...ended, batchJobs: [], pods: [] }, { runId: '2' }),
    want: {
      phase: 'Preflight',
      does: ['create preflight'],
      says: ['Normal NewRun', 'Normal PreflightPending'],
    },
  },
};

for (const [name, { given, now = start, want, message }] of Object.entries(cases)) {
  test(name, () => {
    const { plan } = pass(given, now);
    const got = summary(plan);
    assert.deepEqual({ ...got, ...want }, got);
    if (message)
      assert.match(plan.status.conditions?.find(({ type }) => type === 'Ready')?.message ?? '', message);
  });
}

test('a queued job that is suspended gives its quota back: its Job is deleted, and made again on resume', () => {
  const queued = trained({}, { queueName: 'gpus' });
  const admitted = withSpec(queued.next, { suspend: true });
  const { plan, next } = pass(admitted);
  assert.deepEqual(summary(plan).does, ['delete train']);
  const resumed = pass(withSpec(next, { suspend: false }, 3));
  assert.deepEqual(summary(resumed.plan).does, ['create train']);
  assert.equal(summary(resumed.plan).phase, 'Queued');
});

test('the operator never resumes a Job that a queue holds', () => {
  const { next } = trained({}, { queueName: 'gpus' });
  assert.equal(next.batchJobs.at(-1)?.spec?.suspend, true);
  assert.deepEqual(pass(next).plan.actions, []);
});

test('a resumed Job is no longer marked as held by the user', () => {
  const held = pass(withSpec(running, { suspend: true })).next;
  const { next } = pass(withSpec(held, { suspend: false }, 3));
  const job = next.batchJobs.find(({ metadata }) => metadata?.uid === trainJob.metadata?.uid);
  assert.deepEqual([job?.spec?.suspend, Object.keys(job?.metadata?.annotations ?? {})], [false, []]);
});

test('children are matched by run, not by the stage in a label', () => {
  const old = aBatchJob({ ...aJob(), spec: { ...aJob().spec, runId: '0' } }, 'train');
  const { plan } = pass(observe({ batchJobs: [old] }));
  assert.deepEqual(
    plan.actions.map(({ kind }) => kind),
    ['delete'],
  );
});

test('only a running trainer is asked for progress', () => {
  assert.deepEqual(pass(inTraining(runningStatus)).plan.poll, { podUid: 'one', ip: '10.0.0.9' });
  assert.equal(pass(inTraining(waitingStatus('ContainerCreating'))).plan.poll, undefined);
  assert.equal(pass(inTraining(endedStatus(0, succeeded('one')))).plan.poll, undefined);
});

test('attempts are counted once each, also over a restart of the operator and a second Job', () => {
  const one = pass(inTraining(runningStatus));
  assert.equal(one.plan.status.attempt?.number, 1);
  const pods = [
    aPod(trainJob, 'one', endedStatus(31)),
    aPod(trainJob, 'two', endedStatus(31), { creationTimestamp: after(20) }),
    aPod(trainJob, 'three', runningStatus, { creationTimestamp: after(60) }),
  ];
  const three = pass({ ...one.next, pods });
  assert.deepEqual([three.plan.status.attempt?.number, three.plan.status.attempt?.podUID], [3, 'three']);
  assert.deepEqual(pass(three.next).plan.status.usage, { attempts: 3 });
  const gone = pass({ ...three.next, pods: [] });
  assert.equal(gone.plan.status.attempt?.number, 3);
  const oldAndNew = [pods[0]!, aPod(trainJob, 'four', runningStatus, { creationTimestamp: after(90) })];
  assert.equal(pass({ ...gone.next, pods: oldAndNew }).plan.status.attempt?.number, 4);
});

test('a report names the fields of status as decimals of six digits', () => {
  const world = { ...running, progress: { podUid: 'one', at: after(7), value: progressOf('one') } };
  const { status } = pass(world).plan;
  assert.deepEqual(status.progress, {
    phase: 'Training',
    step: 10,
    totalSteps: 21,
    epoch: '1.5',
    percent: 47,
    trainLoss: '0.456789',
    learningRate: '0.00005',
    tokensPerSecond: '770.123',
    etaSeconds: 33,
    updatedAt: '2026-01-01T00:00:07Z',
  });
  assert.deepEqual(status.usage, { attempts: 1, trainSeconds: 30, gpuSeconds: 30, trainedTokens: 2000 });
});

const elsewhere = {
  'another pod': progressOf('two'),
  'another job': progressOf('one', { jobUid: `${jobUid}x` }),
  'another run': progressOf('one', { runId: '0' }),
  'a count that status cannot hold': progressOf('one', {
    checkpoints: [{ step: 1, time: '', uri: '', digest: '' }],
    device: 'x',
    resumedFromStep: -1,
  }),
};
for (const [name, value] of Object.entries(elsewhere)) {
  test(`an answer about ${name} is not used`, () => {
    const { status } = pass({ ...running, progress: { podUid: 'one', at: after(7), value } }).plan;
    assert.equal(status.progress, undefined);
  });
}

test('usage never falls, and an interrupted pod tells what it used', () => {
  const asked = pass({
    ...running,
    progress: { podUid: 'one', at: after(7), value: progressOf('one', { trainSeconds: 55 }) },
  }).next;
  const { status } = pass({
    ...asked,
    pods: [aPod(trainJob, 'one', endedStatus(143, interrupted('one')))],
  }).plan;
  assert.deepEqual(status.usage, { attempts: 1, trainSeconds: 55, gpuSeconds: 55, trainedTokens: 3000 });
  assert.equal(status.checkpoints?.[0]?.step, 20);
  assert.equal(status.progress?.step, 10);
});

test('success fills evaluation, result, curve and completion time from the last word of the pod', () => {
  const { status } = pass(inTraining(endedStatus(0, succeeded('one'))), after(500)).plan;
  assert.equal(status.completionTime, '2026-01-01T00:01:40Z');
  assert.equal(status.result?.uri, 's3://finetune/runs/spam/model');
  assert.deepEqual(status.evaluation?.final, {
    loss: '0.1',
    accuracy: '0.97',
    f1: '0.96',
    weightedF1: '0.965',
  });
  assert.deepEqual(status.evaluation?.gain, { metric: 'accuracy', value: '0.47', low: '0.4', high: '0.54' });
  assert.deepEqual(status.history, [
    { step: 1, trainLoss: '0.7' },
    { step: 21, trainLoss: '0.1', evalLoss: '0.2' },
  ]);
  assert.deepEqual(
    [status.progress?.percent, status.progress?.etaSeconds, status.progress?.phase],
    [100, 0, 'Finished'],
  );
  assert.equal(status.failure, undefined);
});

test('a new run starts with an empty status', () => {
  const { status } = pass(withSpec({ ...ended, batchJobs: [], pods: [] }, { runId: '2' }), after(900)).plan;
  assert.equal(status.startTime, '2026-01-01T00:15:00Z');
  const { result, evaluation, usage, completionTime, preflight } = status;
  assert.deepEqual(
    [result, evaluation, usage, completionTime, preflight],
    [undefined, undefined, undefined, undefined, undefined],
  );
});

test('a later generation is observed without touching a finished run', () => {
  const { status } = pass(withSpec(ended, { suspend: true }, 5)).plan;
  assert.equal(status.observedGeneration, 5);
  assert.ok(status.conditions?.every(({ observedGeneration }) => observedGeneration === 5));
  const strip = (one: typeof status) => ({
    ...one,
    observedGeneration: 0,
    conditions: one.conditions?.map((c) => ({ ...c, observedGeneration: 0 })),
  });
  assert.deepEqual(strip(status), strip(ended.job.status ?? {}));
});

test('preflight binds training to what it saw', () => {
  const annotations = trainJob.spec?.template.metadata?.annotations ?? {};
  const config = JSON.parse(annotations['finetune.dev/run-config'] ?? '{}');
  assert.equal(config.expected.trainDigest, `sha256:${'a'.repeat(64)}`);
  const first = preflightJob.spec?.template.metadata?.annotations?.['finetune.dev/run-config'] ?? '{}';
  assert.equal(JSON.parse(first).expected, undefined);
});
