import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { V1Job } from '@kubernetes/client-node';
import fc from 'fast-check';
import { runConfig } from '../../crds/trainer-contract.ts';
import type { Decide } from '../../operator/controller/certainty.ts';
import { decide } from '../../operator/decide/decide.ts';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { annotations, stageName } from '../../operator/manifests/names.ts';
import { job as smallestJob } from '../crds/objects.ts';
import { collections, DirectApi, pathOf, Refusal } from '../faults/direct-api.ts';
import { eventually, namespace } from './api.ts';
import { type Edit, edits, everyField } from './generated-specs.ts';
import { TestApi } from './test-api.ts';

const seed = Number(process.env['SPEC_SEED'] ?? 1);
const runs = Number(process.env['SPEC_RUNS'] ?? 60);
const { fineTuneJobs, jobs } = collections;
const waiting: Edit[][] = [
  [{ path: 'spec.runtimeRef.name', value: 'absent' }],
  [{ path: 'spec.suspend', value: true }],
  [{ path: 'spec.training.batchSize', value: 4 }],
];
/** How many generated ones, after each field alone. */
const manySpecs = { seed, examples: everyField(seed), numRuns: everyField(seed).length + runs };
/** The example: specs that cannot run, or must not, before others. */
const manySequences = { seed, examples: [[waiting]] as [Edit[][]][], numRuns: 1 + Math.ceil(runs / 4) };
const fast = ['--api-requests-per-second=1000', '--api-burst=1000'];

/** What a spec leads to: what the status says, and the Job that was made. */
type Effect = {
  phase: string | undefined;
  reason: string | undefined;
  message: string | undefined;
  job: unknown;
};

/** Operators with a defect that is to be found. */
const defects: {
  name: string;
  broken: () => Decide;
  property: 'saysSomething' | 'forgets';
  telling: RegExp;
}[] = [
  {
    name: 'does not say why there is no Job',
    broken: () => (observed, now) => {
      const plan = decide(observed, now);
      if (plan.actions.length > 0 || observed.batchJobs.length > 0) return plan;
      return { ...plan, status: { ...plan.status, conditions: [] } };
    },
    property: 'saysSomething',
    telling: /the status says something/,
  },
  {
    name: 'passes over a runtime that is not there',
    broken: () => (observed, now) => {
      const plan = decide(observed, now);
      return observed.runtime === undefined ? { ...plan, status: observed.job.status ?? {} } : plan;
    },
    property: 'saysSomething',
    telling: /a word about .*"runtimeRef":{"name":"(?!default")/,
  },
  {
    name: 'never recovers from a spec that it could not run',
    broken: () => {
      const stuck = new Map<string, FineTuneJob['spec']>();
      return (observed, now) => {
        const { job } = observed;
        const spec = { ...(stuck.get(job.metadata.uid) ?? job.spec), runId: job.spec.runId };
        const plan = decide({ ...observed, job: { ...job, spec } }, now);
        if (plan.actions.length === 0 && observed.batchJobs.length === 0) stuck.set(job.metadata.uid, spec);
        return plan;
      };
    },
    property: 'forgets',
    telling: /after others|the first one again/,
  },
];

/** "spec.model.s3.uri" -> "spec.model". */
function partOf(path: string): string {
  return path.split('.').slice(0, 2).join('.');
}

/** Without what time changes: what a Job that was just made waits for. */
function outcomeOf({ phase, reason, message, job }: Effect): object {
  return job === undefined ? { phase, reason, message } : { reason, job };
}

describe('generated specs', () => {
  const api = new TestApi('specs');
  let direct: DirectApi;
  let count = 0;
  let patienceMs = 30_000;
  before(() => {
    direct = new DirectApi(api.plane.kubeconfig);
  });
  after(() => direct.close());

  const specOf = (list: readonly Edit[], runId: string) => {
    const changes = Object.fromEntries(list.map(({ path, value }) => [path, value]));
    return smallestJob({ ...changes, 'spec.runId': runId }).spec;
  };
  /** The stored job, or the refusal, which names a field. */
  const put = async (
    name: string,
    list: readonly Edit[],
    runId: string,
  ): Promise<FineTuneJob | undefined> => {
    const path = pathOf(fineTuneJobs, namespace);
    try {
      if (runId === '1') {
        const object = { ...smallestJob({}, name), spec: specOf(list, runId) };
        return await direct.call<FineTuneJob>('POST', `${path}?fieldValidation=Strict`, object);
      }
      const stored = await direct.call<FineTuneJob>('GET', `${path}/${name}`);
      const body = { ...stored, spec: specOf(list, runId) };
      return await direct.call<FineTuneJob>('PUT', `${path}/${name}?fieldValidation=Strict`, body);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // The operator wrote the status in between.
      if (error.status === 409) return put(name, list, runId);
      assert.ok([400, 422].includes(error.status), error.message);
      // A rule stands at the smallest object that has what it compares: around the change, or beside it.
      const changed = list.map(({ path: each }) => partOf(each));
      const isNear = (field: string) => field === 'spec' || changed.includes(partOf(field));
      assert.ok(error.fields.length > 0 && error.fields.every(isNear), `${error.fields}: ${error.message}`);
      return undefined;
    }
  };
  /** Waits until the operator has said something about this spec, and reads what it did. */
  const effectOf = async ({ metadata: { name, uid, generation }, spec }: FineTuneJob): Promise<Effect> => {
    const path = `${pathOf(fineTuneJobs, namespace)}/${name}`;
    const { status } = await eventually(
      `a word about ${name}: ${JSON.stringify(spec)}`,
      async () => {
        const job = await direct.call<FineTuneJob>('GET', path);
        const isSettled = job.status?.observedGeneration === generation && job.status?.runId === spec.runId;
        const reason = job.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
        return isSettled && reason !== 'NewRun' && job;
      },
      patienceMs,
    );
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    const child = stageName({ name, uid }, spec.runId, 'preflight');
    const job = await direct
      .call<V1Job>('GET', pathOf(jobs, namespace, child))
      .catch((error) =>
        error instanceof Refusal && error.status === 404 ? undefined : Promise.reject(error),
      );
    if (job !== undefined) {
      const config = job.spec?.template.metadata?.annotations?.[annotations.runConfig] ?? '';
      runConfig.parse(JSON.parse(config));
    }
    const effect = { phase: status?.phase, reason: ready?.reason, message: ready?.message, job: job?.spec };
    return JSON.parse(masked(JSON.stringify(effect), name, uid)) as Effect;
  };
  const masked = (text: string, name: string, uid: string) =>
    text
      .replaceAll(uid, 'UID')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'JOB UID')
      .replaceAll(name, 'NAME')
      .replace(/(runId\\":\\"|finetune\.dev\/run":")\d+/g, '$1N')
      .replace(/(startTime\\":\\")[^\\]+/g, '$1THEN')
      .replace(/-[0-9a-f]{10}-/g, '-HASH-');
  const fresh = () => `spec-${++count}`;
  const errors = async () => {
    const line = (await api.scrape())
      .split('\n')
      .find((each) => /reconcile_total\{.*result="error"/.test(each));
    return Number(line?.split(' ').at(-1) ?? 0);
  };

  let accepted = 0;
  const saysSomething = fc.asyncProperty(edits, async (list) => {
    const job = await put(fresh(), list, '1');
    if (job === undefined) return;
    accepted++;
    const { phase, reason, message, job: child } = await effectOf(job);
    const says = phase !== undefined && reason !== undefined && message !== undefined && message !== '';
    assert.ok(says, 'the status says something');
    const stops = ['Failed', 'Suspended', 'Cancelled', 'Pending'].includes(phase);
    assert.ok(child !== undefined || stops, `${phase}, ${reason}: a Job, or why there is none`);
  });

  let compared = 0;
  const sequences = fc.array(edits, { minLength: 2, maxLength: 4 });
  const forgets = fc.asyncProperty(sequences, async (list) => {
    const name = fresh();
    const first = await put(name, [], '1');
    const before = await effectOf(first!);
    for (const [i, each] of list.entries()) {
      const job = await put(name, each, String(i + 2));
      if (job === undefined) continue;
      const alone = await put(fresh(), each, '1');
      assert.deepEqual(outcomeOf(await effectOf(job)), outcomeOf(await effectOf(alone!)), 'after others');
      compared++;
    }
    const again = await put(name, [], String(list.length + 2));
    assert.deepEqual(outcomeOf(await effectOf(again!)), outcomeOf(before), 'the first one again');
  });

  it('are refused with the field, or lead to a Job or to a reason, and never to an error', async () => {
    await api.start(fast);
    await fc.assert(saysSomething, manySpecs);
    assert.ok(accepted > runs / 2 && accepted < manySpecs.numRuns, `${accepted} were accepted`);
    assert.equal(await errors(), 0);
  });

  it('lead to the same after any others as alone, and the first one to what it led to at first', async () => {
    await api.start(fast);
    await fc.assert(forgets, manySequences);
    assert.ok(compared > 0);
    assert.equal(await errors(), 0);
  });

  for (const { name, broken, property, telling } of defects) {
    it(`tell an operator that ${name}`, async () => {
      patienceMs = 10_000;
      await api.start(fast, { decide: broken() });
      // A counterexample is not made smaller: one is enough.
      const found =
        property === 'saysSomething'
          ? await fc.check(saysSomething, { ...manySpecs, endOnFailure: true })
          : await fc.check(forgets, { ...manySequences, endOnFailure: true });
      assert.ok(found.failed, `not within ${found.numRuns} runs`);
      assert.match(String(found.errorInstance), telling);
    });
  }
});
