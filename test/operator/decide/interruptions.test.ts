import {
  after,
  aPod,
  endedStatus,
  failed,
  interrupted,
  jobCondition,
  pass,
  rejected,
  runningStatus,
  succeeded,
} from '../builders.ts';

import {
  type Case,
  ended,
  inPreflight,
  inTraining,
  over,
  ready,
  running,
  testCases,
  trainJob,
  without,
  withSpec,
  withTrainJob,
} from './worlds.ts';

const noSmaller = { retry: { limit: 3, outOfMemoryLimit: 0 } };

const heldByOther = withTrainJob(ready, { spec: { ...trainJob.spec, suspend: true } });

/** The only pod ended 100 seconds after the start, as its node says. */
const onNodeAhead = (creationTimestamp: Date) => ({
  ...withTrainJob(running, over('BackoffLimitExceeded')),
  pods: [
    aPod(trainJob, 'one', endedStatus(137), { creationTimestamp, deletionTimestamp: after(-3600 + 99) }),
  ],
});

const cases: Record<string, Case> = {
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
  'also where the clock of the node is an hour ahead, and not for that hour': {
    given: onNodeAhead(after(-3600 + 10)),
    now: after(-3600 + 105),
    want: { phase: 'Pending', reason: 'TrainingInterrupted', does: ['delete train'] },
  },
  'there it waits as long since the pod was made': {
    given: onNodeAhead(after(-3600 + 96)),
    now: after(-3600 + 105),
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
    given: withSpec(inTraining(endedStatus(137, '', 'OOMKilled')), noSmaller),
    want: { phase: 'Failed', reason: 'TrainingFailed', category: 'HostOutOfMemory', does: ['patch train'] },
    message: /limit of 8Gi/,
  },
  'nobody looked while the trainer was killed for memory and started again': {
    given: {
      ...withSpec(ready, noSmaller),
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
      says: ['Normal Resumed'],
    },
  },
  'a Job that somebody else holds is left alone': {
    given: heldByOther,
    want: { phase: 'Queued', reason: 'TrainingQueued', does: [] },
  },
  "also when the user wants it held as well: the hold is not the operator's": {
    given: withSpec(heldByOther, { suspend: true }),
    want: { phase: 'Suspended', does: [] },
  },
  'and after that': {
    given: withSpec(pass(withSpec(heldByOther, { suspend: true })).next, { suspend: false }, 3),
    want: { phase: 'Queued', reason: 'TrainingQueued', does: [] },
  },
  'a Job that somebody lets go on against the wish of the user is held again': {
    given: withTrainJob(pass(withSpec(heldByOther, { suspend: true })).next, {
      spec: { ...trainJob.spec, suspend: false },
    }),
    want: { phase: 'Suspended', does: ['patch train'] },
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
      says: ['Normal NewRun'],
    },
  },
};

testCases(cases);
