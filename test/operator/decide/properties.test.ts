/** What holds for every world, also for broken ones: seeded, so that a failure can be repeated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { conditionTypes, reasons } from '../../../crds/conditions.ts';
import { fineTuneJobStatus } from '../../../crds/status.schema.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { FineTuneJob, Observed, Plan, Refusal } from '../../../operator/decide/plan.ts';
import { preflightOf } from '../../../operator/decide/report.ts';
import { viewRun } from '../../../operator/decide/run.ts';
import { reachesLimit } from '../../../operator/decide/usage.ts';
import type { Stage } from '../../../operator/manifests/names.ts';
import {
  aBatchJob,
  after,
  aJob,
  aPod,
  aRuntime,
  comeTrue,
  digest,
  endedStatus,
  failed,
  interrupted,
  jobCondition,
  observe,
  pass,
  preflightReport,
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
import { random } from './dice.ts';

/** Random worlds for each property; more of them: FUZZ_CASES=10000. */
const cases = Number(process.env['FUZZ_CASES'] ?? 1000);

const priced = { accelerator: { pricePerHour: '4', currency: 'EUR' } };

type Draw = <T>(...choices: T[]) => T;

function podStatus(draw: Draw, uid: string): V1Pod['status'] {
  return draw<V1Pod['status']>(
    {},
    runningStatus,
    waitingStatus(draw('ContainerCreating', 'ErrImagePull', 'CreateContainerConfigError')),
    unschedulable('0/1 nodes'),
    endedStatus(0, validated(uid)),
    endedStatus(0, succeeded(uid)),
    endedStatus(0, rejected(uid)),
    endedStatus(0, draw('', '{', 'null', '[]')),
    endedStatus(11, failed(uid, 'DataError', 'bad')),
    endedStatus(30, failed(uid, 'SourceUnavailable', 'gone')),
    endedStatus(137, '', draw('OOMKilled', 'Error')),
    endedStatus(143, interrupted(uid)),
    endedStatus(18, failed(uid, 'AcceleratorOutOfMemory', 'full')),
    { phase: 'Failed', reason: draw('Evicted', 'OutOfcpu') },
  );
}

function someJob(draw: Draw, job: FineTuneJob, stage: Stage): V1Job {
  const status = draw(
    {},
    {},
    jobCondition('Complete', 'Done'),
    jobCondition('Failed', 'BackoffLimitExceeded'),
    jobCondition('Failed', 'DeadlineExceeded'),
    jobCondition('Failed', 'PodFailurePolicy', 'failed with exit code 11 matching'),
  );
  const batchJob = aBatchJob(job, stage, { status });
  if (draw(true, false, false)) batchJob.spec = { template: {}, suspend: draw(true, false) };
  if (draw(true, false, false, false)) batchJob.metadata!.deletionTimestamp = after(3);
  const queue = { 'kueue.x-k8s.io/queue-name': 'gpus' };
  if (draw(true, false, false)) batchJob.metadata!.labels = { ...batchJob.metadata!.labels, ...queue };
  return batchJob;
}

/** Deadlines and budgets, on both sides of the 100 seconds that an ended container ran. */
function someLimits(draw: Draw): object {
  return {
    ...draw({}, {}, { activeDeadlineSeconds: draw(50, 150, 100_000) }),
    ...draw({}, {}, { pendingDeadlineSeconds: draw(50, 299, 100_000) }),
    ...draw(
      {},
      {},
      { budget: draw({ maxGpuHours: draw('0.01', '0.05', '9') }, { maxCost: draw('0.1', '9') }) },
    ),
    ...draw({}, {}, { ttlSecondsAfterFinished: 1e6 }),
  };
}

/** A world that may never come about: children of any run in any state, and any status stored. */
function someWorld(draw: Draw): Observed {
  const spec = {
    runId: draw('1', '1', '2'),
    suspend: draw(false, false, true),
    dryRun: draw(false, false, false, true),
    cancel: draw(false, false, false, true),
    ...someLimits(draw),
  };
  const job = aJob(spec, { generation: 3, ...draw({}, {}, {}, { deletionTimestamp: after(1) }) });
  const other = { ...job, spec: { ...job.spec, runId: '0' } };
  const batchJobs = (['preflight', 'train'] as const).flatMap((stage) =>
    draw(true, false) ? [someJob(draw, job, stage)] : [],
  );
  if (draw(true, false, false, false)) batchJobs.push(someJob(draw, other, 'train'));
  const pods = batchJobs.flatMap((batchJob) =>
    Array.from({ length: draw(0, 1, 1, 2) }, (_, i) => {
      const uid = `${batchJob.metadata?.uid}-${i}`;
      const deletion = draw({}, {}, { deletionTimestamp: after(2) });
      return aPod(batchJob, uid, podStatus(draw, uid), { creationTimestamp: after(i * 30), ...deletion });
    }),
  );
  if (draw(true, false, false, false)) pods.push(aPod(aBatchJob(other, 'train'), 'stray', runningStatus));
  const stored = draw(
    undefined,
    undefined,
    trained().next.job.status,
    {
      ...trained().next.job.status,
      attempt: { number: 1, podName: 'gone', podUID: 'gone', activeSeconds: 140 },
      usage: { attempts: 1, activeSeconds: 140 },
    },
    pass(observe({ runtime: undefined })).plan.status,
    pass(observe({ job: aJob({ cancel: true }) })).plan.status,
  );
  const podUid = pods.at(-1)?.metadata?.uid ?? '';
  const progress = draw(undefined, { podUid, at: after(9), value: progressOf(podUid) });
  return observe({
    job: { ...job, ...(stored && { status: stored }) },
    batchJobs,
    pods,
    progress,
    runtime: draw(aRuntime(), aRuntime(priced), aRuntime({ queueName: 'gpus' }), undefined),
    foreign: draw([], [], [`Job ${aBatchJob(job, 'train').metadata?.name}`]),
    refusals: (['preflight', 'train'] as const).flatMap((stage) => someRefusal(draw, job, stage)),
  });
}

function someRefusal(draw: Draw, job: FineTuneJob, stage: Stage): Refusal[] {
  if (draw(true, true, true, false)) return [];
  const { name = '' } = aBatchJob(job, stage).metadata ?? {};
  const kind = draw('create' as const, 'patch' as const, 'delete' as const);
  const patch = draw({ spec: { activeDeadlineSeconds: 1 } }, { spec: { suspend: true } });
  return [
    {
      kind,
      name,
      ...(kind === 'patch' && { patch }),
      answer: 'no',
      lastedMs: draw(0, 10_000),
      agoMs: draw(1000, 20_000),
    },
  ];
}

function drawFrom(next: () => number): Draw {
  return (...choices) => choices[Math.floor(next() * choices.length)]!;
}

function holds({ actions, status, events }: Plan, given: Observed): void {
  const parsed = fineTuneJobStatus.safeParse(status);
  assert.ok(parsed.success, `status does not fit the CRD: ${parsed.error?.message}`);
  assert.ok(actions.filter(({ kind }) => kind === 'create').length <= 1, 'more than one Job is made at once');
  for (const event of events) assert.ok(event.reason in reasons && event.message !== '');
  if (given.job.metadata.deletionTimestamp !== undefined) return;
  assert.deepEqual(
    status.conditions?.map(({ type }) => type),
    conditionTypes,
  );
  const ends = status.conditions?.filter(
    ({ type, status: is }) => ['Complete', 'Failed', 'Rejected'].includes(type) && is === 'True',
  );
  assert.ok((ends?.length ?? 0) <= 1, 'two ends at once');
  const trains = given.pods.some(
    ({ status: pod, metadata }) => pod?.phase === 'Running' && metadata?.name?.includes('-train-'),
  );
  const made = actions.map((action) => (action.kind === 'create' ? action.object.metadata?.name : ''));
  if (trains) assert.ok(!made.some((name) => name?.endsWith('-train')), 'a second trainer is made');
}

test('random worlds: a plan that fits the CRD, and a second pass that changes nothing', () => {
  for (let seed = 1; seed <= cases; seed++) {
    const draw = drawFrom(random(seed));
    const given = someWorld(draw);
    const { plan, next } = pass(given, after(300));
    try {
      holds(plan, given);
      const again = decide(next, after(301));
      // Smaller batches are remembered before their Job is made, and a limit is told before the trainer is stopped for it.
      const remembers = plan.status.microBatch?.jobUID !== given.job.status?.microBatch?.jobUID;
      const tellsLimit = reachesLimit(viewRun(given, after(300)), plan.status.usage?.activeSeconds ?? 0);
      if (plan.actions.length === 0 && !remembers && !tellsLimit) {
        assert.deepEqual(again.actions, []);
        assert.deepEqual(again.status, plan.status);
        assert.deepEqual(again.events, []);
      }
      if (plan.status.completionTime !== undefined) assert.deepEqual(again.status, plan.status);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test('random worlds come to rest: after a few passes nothing is done or said any more', () => {
  for (let seed = 1; seed <= cases / 5; seed++) {
    let world = someWorld(drawFrom(random(seed)));
    for (let i = 0; i < 8; i++) world = pass(world, after(300 + i * 60)).next;
    const { plan } = pass(world, after(900));
    assert.deepEqual([plan.actions, plan.events], [[], []], `seed ${seed}`);
    assert.deepEqual(plan.status, world.job.status, `seed ${seed}`);
  }
});

test('random walks: an end never reverts, and the generation seen never falls', () => {
  for (let seed = 1; seed <= cases / 5; seed++) {
    const draw = drawFrom(random(seed));
    let world = observe();
    let end: string | undefined;
    for (let step = 0; step < 12; step++) {
      const before = world.job.status;
      world = comeTrue(world, decide(world, after(step * 60)));
      const status = world.job.status;
      assert.ok((status?.observedGeneration ?? 0) >= (before?.observedGeneration ?? 0), `seed ${seed}`);
      if (end !== undefined) assert.equal(status?.phase, end, `seed ${seed}`);
      if (status?.completionTime !== undefined) end = status.phase;
      const pods = world.batchJobs.flatMap((job) => {
        const uid = `${job.metadata?.uid}-${step}`;
        return draw(true, false)
          ? [aPod(job, uid, podStatus(draw, uid), { creationTimestamp: after(step * 60) })]
          : [];
      });
      const metadata = { ...world.job.metadata, generation: 1 + step };
      const spec = { ...world.job.spec, suspend: draw(false, false, true) };
      const batchJobs = draw(world.batchJobs, world.batchJobs, world.batchJobs.slice(1));
      world = { ...world, pods, batchJobs, job: { ...world.job, metadata, spec } };
    }
  }
});

/** Takes one value below `target` away, or puts another of its type there: types the API server promises. */
function damage(target: object, next: () => number): void {
  const draw = drawFrom(next);
  let at = target as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key = draw(...keys);
    const value = at[key];
    const inner = typeof value === 'object' && value !== null && !(value instanceof Date);
    if (inner && next() < 0.8) {
      at = value as Record<string, unknown>;
    } else {
      if (typeof value === 'string')
        at[key] = draw('', 'x'.repeat(key === 'message' ? 5000 : 9), 'Zürich \u0000', 'True');
      else if (typeof value === 'number') at[key] = draw(-1, 0, 255);
      else if (!Array.isArray(at)) delete at[key];
      return;
    }
  }
}

test('worlds with broken pods and Jobs: decide does not throw', () => {
  for (let seed = 1; seed <= cases; seed++) {
    const next = random(seed);
    const world = structuredClone(someWorld(drawFrom(next)));
    for (let i = 0; i < 3; i++) {
      const object = drawFrom(next)<V1Pod | V1Job | undefined>(...world.pods, ...world.batchJobs);
      for (const part of [object?.status, object?.metadata]) if (part) damage(part, next);
    }
    try {
      assert.ok(fineTuneJobStatus.safeParse(decide(world, start).status).success);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test('the largest job has a status below 16 KB', () => {
  const wide = '"é'.repeat(64);
  const label: [string, number] = [wide, Number.MAX_SAFE_INTEGER];
  const split = {
    rows: 1e15,
    digest,
    truncatedRows: 1e15,
    duplicateRows: 1e15,
    nearDuplicateRows: 1e15,
    labels: Array(20).fill(label),
  };
  const splits = { train: split, validation: split, test: split };
  const preflight = preflightOf({ ...preflightReport, splits, warnings: Array(12).fill('"'.repeat(256)) });
  const { next, trainJob } = trained();
  const history = Array.from({ length: 50 }, (_, i): [number, number, number] => [
    1e9 + i,
    0.123456,
    0.123456,
  ]);
  const uri = `s3://${'b'.repeat(63)}/${'p'.repeat(900)}`;
  const checkpoints = Array.from({ length: 20 }, (_, step) => ({
    step,
    time: '2026-01-01T00:00:00Z',
    uri,
    digest,
    metric: { name: 'm'.repeat(32), value: -0.000123456 },
  }));
  const value = progressOf('one', { history, checkpoints, device: 'é'.repeat(64) });
  const named = (status: V1Pod['status']) => aPod(trainJob, 'one', status, { name: 'p'.repeat(253) });
  const running = pass({
    ...next,
    job: { ...next.job, status: { ...next.job.status, preflight } },
    pods: [named(runningStatus)],
    progress: { podUid: 'one', at: start, value },
  }).next;
  const model = { ...succeeded('one').model, uri, reportUri: uri };
  const third = -1 / 3;
  const sliced = {
    column: wide,
    worst: { slice: wide, rows: 1e15, baseline: third, final: third },
    gap: { baseline: third, final: third },
    growth: { value: third, low: third, high: third },
  };
  const overfitting = { trainLoss: third, evalLoss: third, lowestEvalLoss: third };
  const evaluation = {
    ...succeeded('one').evaluation,
    slices: Array(4).fill(sliced),
    overfitting: { ...overfitting, lowestStep: 1e15, bestStep: 1e15, stoppedEarly: false },
  };
  const endings = {
    failure: endedStatus(31, '"é'.repeat(1000)),
    success: endedStatus(0, { ...succeeded('one'), model, evaluation }),
  };
  for (const [name, ending] of Object.entries(endings)) {
    const { status } = pass({ ...running, pods: [named(ending)] }).plan;
    const bytes = Buffer.byteLength(JSON.stringify(status));
    assert.ok(bytes < 16_384, `${name}: ${bytes} bytes`);
    assert.ok(bytes > 8000, `${name}: ${bytes} bytes is not large`);
  }
});
