/** What a pass keeps, counts and reports beside the phase. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { annotations } from '../../../operator/manifests/names.ts';
import {
  aBatchJob,
  after,
  aJob,
  aPod,
  digest,
  endedStatus,
  interrupted,
  jobUid,
  observe,
  pass,
  progressOf,
  runningStatus,
  succeeded,
  trained,
  waitingStatus,
} from '../builders.ts';

import { ended, inTraining, preflightJob, running, summary, trainJob, without, withSpec } from './worlds.ts';

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
  assert.deepEqual(
    [job?.spec?.suspend, job?.metadata?.annotations?.[annotations.heldByUser]],
    [false, undefined],
  );
});

const pretenders = {
  'in another namespace': { namespace: 'team-b' },
  'that no Job made': { ownerReferences: [] },
};
for (const [name, metadata] of Object.entries(pretenders)) {
  test(`a pod ${name} with the label of the job holds nothing up`, () => {
    const pods = [aPod(trainJob, 'one', runningStatus, metadata)];
    const given = without({ ...running, pods }, '-train');
    assert.deepEqual(summary(pass(given).plan).does, ['create train']);
  });
}

test('a pod that the Job did not make cannot end the run', () => {
  const liar = inTraining(endedStatus(0, succeeded('one')), { ownerReferences: [] });
  assert.equal(summary(pass(liar).plan).phase, 'Pending');
});

test('in another namespace a pod or Job cannot end the run, answer for its trainer or stand for its preflight', () => {
  const namespace = 'team-b';
  const liar = inTraining(endedStatus(0, succeeded('one')), { namespace });
  assert.equal(summary(pass(liar).plan).phase, 'Pending');
  const forger = inTraining(runningStatus, { namespace });
  assert.equal(pass(forger).plan.poll, undefined);
  const claim = { ...preflightJob, metadata: { ...preflightJob.metadata, namespace } };
  assert.deepEqual(summary(pass(observe({ batchJobs: [claim] })).plan).does, ['create preflight']);
});

test('a trainer that published although its Job was removed has ended the run, held or not', () => {
  const pods = [aPod(trainJob, 'one', endedStatus(0, succeeded('one')))];
  const gone = without({ ...running, pods }, '-train');
  for (const world of [gone, withSpec(gone, { suspend: true }), withSpec(gone, { cancel: true })]) {
    const { plan } = pass(world, after(100));
    assert.deepEqual([summary(plan).phase, summary(plan).does], ['Succeeded', []]);
    assert.ok(plan.status.result);
  }
});

test('what published in an earlier run of the same runId does not end this one', () => {
  const old = aPod(trainJob, 'old', endedStatus(0, succeeded('old')), { creationTimestamp: after(-500) });
  const { plan } = pass(without({ ...running, pods: [old] }, '-train'), after(100));
  assert.deepEqual(summary(plan).does, ['create train']);
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
  assert.deepEqual(pass(three.next).plan.status.usage?.attempts, 3);
  const gone = pass({ ...three.next, pods: [] });
  assert.equal(gone.plan.status.attempt?.number, 3);
  const oldAndNew = [pods[0]!, aPod(trainJob, 'four', runningStatus, { creationTimestamp: after(90) })];
  assert.equal(pass({ ...gone.next, pods: oldAndNew }).plan.status.attempt?.number, 4);
});

test('pods that were made in the same second are counted once each, whatever their UIDs', () => {
  const pods = ['a', 'x', 'one'].map((uid) => aPod(trainJob, uid, runningStatus));
  let world = { ...running, pods };
  const numbers = [1, 2, 3].map(() => {
    const { plan, next } = pass(world);
    world = { ...next, pods };
    return plan.status.attempt?.number;
  });
  assert.deepEqual(numbers, [3, 3, 3]);
  const later = pass({ ...world, pods: [...pods, aPod(trainJob, 'p', runningStatus)] });
  assert.equal(later.plan.status.attempt?.number, 4);
});

test('a second attempt is announced although nobody saw the first one end', () => {
  const second = aPod(trainJob, 'two', runningStatus, { creationTimestamp: after(60) });
  const { plan } = pass({ ...running, pods: [second] });
  assert.deepEqual(summary(plan).says, ['Normal TrainingRunning']);
  assert.match(plan.events[0]?.message ?? '', /Attempt 2/);
});

test('the curve of a short result is filled with what was known before', () => {
  const history = [1, 2, 3, 4].map((step): [number, number, null] => [step, 1 / step, null]);
  const progress = { podUid: 'one', at: after(7), value: progressOf('one', { history }) };
  const asked = pass({ ...running, progress }).next;
  const { status } = pass({ ...asked, pods: [aPod(trainJob, 'one', endedStatus(0, succeeded('one')))] }).plan;
  assert.deepEqual(
    status.history?.map(({ step, trainLoss }) => [step, trainLoss]),
    [
      [1, '0.7'],
      [2, '0.5'],
      [3, '0.333333'],
      [4, '0.25'],
      [21, '0.1'],
    ],
  );
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
    done: '47%',
    trainLoss: '0.456789',
    learningRate: '0.00005',
    tokensPerSecond: '770.123',
    etaSeconds: 33,
    eta: '33s',
    updatedAt: '2026-01-01T00:00:07Z',
  });
  assert.deepEqual(status.usage, {
    attempts: 1,
    activeSeconds: 7,
    gpuSeconds: 7,
    trainSeconds: 30,
    trainedTokens: 2000,
  });
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

test('an answer does not replace a later one that another operator wrote', () => {
  const heard = (step: number, seconds: number) => ({
    progress: { podUid: 'one', at: after(seconds), value: progressOf('one', { step }) },
  });
  const { next } = pass({ ...running, ...heard(10, 9) });
  const then = (step: number, seconds: number) => {
    const { progress } = pass({ ...next, ...heard(step, seconds) }).plan.status;
    return [progress?.step, progress?.updatedAt];
  };
  assert.deepEqual(then(10, 8), [10, '2026-01-01T00:00:09Z']);
  assert.deepEqual(then(5, 8), [10, '2026-01-01T00:00:09Z']);
  assert.deepEqual(then(5, 10), [5, '2026-01-01T00:00:10Z'], 'another attempt');
  assert.deepEqual(then(11, 8), [11, '2026-01-01T00:00:08Z'], 'by another clock');
});

test('usage never falls, and an interrupted pod tells what it used', () => {
  const asked = pass({
    ...running,
    progress: { podUid: 'one', at: after(7), value: progressOf('one', { trainSeconds: 55 }) },
  }).next;
  const { status } = pass({
    ...asked,
    pods: [aPod(trainJob, 'one', endedStatus(143, interrupted('one')))],
  }).plan;
  assert.deepEqual(status.usage, {
    attempts: 1,
    activeSeconds: 100,
    gpuSeconds: 100,
    trainSeconds: 55,
    trainedTokens: 3000,
  });
  assert.deepEqual(status.checkpoints?.[0], {
    step: 20,
    time: '2026-01-01T00:01:00Z',
    uri: 's3://finetune/runs/spam/checkpoints/20',
    digest,
    metric: { name: 'loss', value: '0.234568' },
  });
  assert.deepEqual([status.progress?.step, status.progress?.percent], [20, 95]);
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

test('the primary metric is that of the gate, else the main one of the task', () => {
  const primary = (spec: object) => {
    const world = withSpec(inTraining(endedStatus(0, succeeded('one'))), spec);
    return pass(world, after(500)).plan.status.evaluation?.primary;
  };
  assert.deepEqual(primary({}), { metric: 'accuracy', baseline: '0.5', final: '0.97' });
  assert.deepEqual(primary({ gate: { metric: 'f1', minimum: '0.1' } }), {
    metric: 'f1',
    baseline: '0.4',
    final: '0.96',
  });
  const masked = inTraining(
    endedStatus(0, { ...succeeded('one'), evaluation: { rows: 3, final: { loss: 2, perplexity: 7.4 } } }),
  );
  const { status } = pass(withSpec(masked, { task: 'MaskedLM' }), after(500)).plan;
  assert.deepEqual(status.evaluation?.primary, { metric: 'loss', final: '2' });
});

const losses = { trainLoss: 0.1, evalLoss: 0.12, lowestEvalLoss: 0.12, lowestStep: 20, bestStep: 20 };
const grown = { value: 0.1, low: 0.02, high: 0.2 };
const slice = (column: string, growth?: typeof grown) => ({
  column,
  worst: { slice: 'de', rows: 40, baseline: 0.5, final: 0.75 },
  gap: { baseline: 0.1, final: 0.2 },
  ...(growth && { growth }),
});
const findings: Record<string, { evaluation: object; type: string; want: [string, string, RegExp] }> = {
  'losses that stay together': {
    evaluation: { overfitting: { ...losses, stoppedEarly: false } },
    type: 'Overfitting',
    want: ['False', 'NoOverfitting', /Training loss 0\.1, validation loss 0\.12; the weights of step 20/],
  },
  'a validation loss that rose': {
    evaluation: { overfitting: { ...losses, evalLoss: 0.2, stoppedEarly: true } },
    type: 'Overfitting',
    want: ['True', 'EvalLossRose', /was 0\.12 at step 20 and is 0\.2 at the end; the weights of step 20/],
  },
  'a validation loss far above the training loss': {
    evaluation: { overfitting: { ...losses, evalLoss: 0.4, lowestEvalLoss: 0.4, stoppedEarly: false } },
    type: 'Overfitting',
    want: ['True', 'TrainEvalGap', /training loss is 0\.1, the validation loss 0\.4/],
  },
  'no validation split': {
    evaluation: {},
    type: 'Overfitting',
    want: ['Unknown', 'NotMeasured', /no validation split/],
  },
  'a gap that grew': {
    evaluation: { slices: [slice('source', { ...grown, low: -0.1 }), slice('language', grown)] },
    type: 'SliceGapGrown',
    want: [
      'True',
      'SliceGapGrew',
      /accuracy by language: the gap is 0\.2, .*base model 0\.1; worst is de with 0\.75/,
    ],
  },
  'a gap that grew by chance': {
    evaluation: { slices: [slice('source', { ...grown, low: -0.1 })] },
    type: 'SliceGapGrown',
    want: ['False', 'SliceGapSteady', /In none of source/],
  },
  'slices without a base model': {
    evaluation: { slices: [slice('source')] },
    type: 'SliceGapGrown',
    want: ['Unknown', 'NotMeasured', /the base model was not evaluated/],
  },
};
for (const [name, { evaluation, type, want }] of Object.entries(findings)) {
  test(`${name}: what the condition ${type} says at the end, and that it is open before`, () => {
    const said = succeeded('one');
    const result = { ...said, evaluation: { ...said.evaluation, ...evaluation } };
    const { status } = pass(inTraining(endedStatus(0, result)), after(500)).plan;
    const condition = status.conditions?.find((one) => one.type === type);
    assert.deepEqual([condition?.status, condition?.reason], want.slice(0, 2));
    assert.match(condition!.message, want[2]);
    const before = running.job.status?.conditions?.find((one) => one.type === type);
    assert.deepEqual([before?.status, before?.reason], ['Unknown', 'Waiting']);
  });
}

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
