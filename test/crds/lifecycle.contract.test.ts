/** What the API server does with stored FineTuneJobs: defaults, pruning, changes within and between runs, status. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { fineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import { fineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import { type Answer, type ApiServer, startApiServer } from './api-server.ts';
import { type Changes, changed, job, type KubeObject, runtime } from './objects.ts';

let server: ApiServer;
before(async () => {
  server = await startApiServer('lifecycle');
});
after(() => server?.stop());

function stored(answer: Answer): KubeObject {
  assert.ok(answer.accepted, JSON.stringify(answer));
  return answer.object;
}

function assertRefused(answer: Answer, field: string, message: string): void {
  assert.ok(!answer.accepted, `accepted, but ${field} should have been refused`);
  assert.equal(answer.code, 422);
  assert.deepEqual(
    answer.causes.map((cause) => ({ field: cause.field, fits: cause.message.includes(message) })),
    [{ field, fits: true }],
    JSON.stringify(answer.causes),
  );
}

suite('defaults', () => {
  test('the smallest job is stored with every default filled in', async () => {
    const { spec } = stored(await server.create(job({}, 'defaults')));
    const { model, dataset, output, ...rest } = spec;
    assert.deepEqual(rest, {
      task: 'SequenceClassification',
      training: {
        epochs: '3',
        batchSize: 16,
        learningRate: '5e-5',
        schedule: 'Linear',
        warmup: '0.06',
        gradientAccumulationSteps: 1,
        gradientCheckpointing: false,
        bf16: false,
        optimizer: 'AdamW',
        weightDecay: '0.01',
        maxGradNorm: '1.0',
        labelSmoothing: '0',
        maxLength: 256,
        trainSamplingStrategy: 'GroupByLength',
        seed: 42,
      },
      evaluation: { baseline: true },
      checkpoints: { everySteps: 200, keep: 2 },
      runtimeRef: { name: 'default' },
      resources: { gpus: 1 },
      retry: { limit: 3, outOfMemoryLimit: 3 },
      suspend: false,
      cancel: false,
      dryRun: false,
      runId: '1',
    });
    assert.equal((model as { s3: { region: string } }).s3.region, 'us-east-1');
    const { format, columns } = dataset as { format: string; columns: object };
    assert.deepEqual({ format, columns }, { format: 'JSONL', columns: {} });
    assert.deepEqual(output, { s3: { ...(job().spec['output'] as { s3: object }).s3, region: 'us-east-1' } });
  });

  test('the operator reads the same defaults from its own schema', async () => {
    const changes = { 'spec.training': { epochs: '1', earlyStopping: {} }, 'spec.dataset.columns': {} };
    const object = job({ ...changes, 'spec.dataset.fractions.validation': '0.1' }, 'same-defaults');
    assert.deepEqual(stored(await server.create(object)).spec, fineTuneJobSpec.parse(object.spec));
  });

  test('so does a runtime', async () => {
    const object = runtime({ 'spec.tolerations': [{ key: 'gpu' }], 'spec.trainer': { cpu: '4' } });
    const { spec } = stored(await server.create(object));
    assert.deepEqual(spec, fineTuneRuntimeSpec.parse(object.spec));
    assert.equal((spec['accelerator'] as { whenUnusable: string }).whenUnusable, 'Fail');
  });

  test('applying the same file again changes nothing', async () => {
    const input = JSON.stringify(job({}, 'twice'));
    await server.kubectl(['apply', '-f', '-'], { input });
    const again = await server.kubectl(['apply', '-f', '-'], { input });
    assert.equal(again, 'finetunejob.finetune.dev/twice unchanged\n');
  });
});

suite('unknown fields', () => {
  test('a client that ignores them gets them pruned', async () => {
    const { spec } = stored(await server.create(job({ 'spec.training.lr': '1' }, 'pruned'), 'Ignore'));
    assert.equal('lr' in (spec['training'] as object), false);
  });

  test('kubectl refuses them', async () => {
    const input = JSON.stringify(job({ 'spec.training.lr': '1' }, 'strict'));
    await assert.rejects(
      server.kubectl(['create', '--validate=strict', '-f', '-'], { input }),
      /unknown field "spec\.training\.lr"/,
    );
  });
});

suite('changes within a run', () => {
  const start: Changes = {
    'spec.dataset.labels': ['ham', 'spam'],
    'spec.dataset.fractions': { validation: '0.1' },
    'spec.gate': { metric: 'f1', minimum: '0.9' },
    'spec.resources.memory': '4Gi',
  };
  const frozen: Record<string, Changes> = {
    'the model': { 'spec.model.s3.prefix': 'models/other' },
    'the kind of source of the model': { 'spec.model': { persistentVolumeClaim: { claimName: 'models' } } },
    'the order of the labels': { 'spec.dataset.labels': ['spam', 'ham'] },
    'the labels, by leaving them out': { 'spec.dataset.labels': undefined },
    'the part for validation': { 'spec.dataset.fractions.validation': '0.2' },
    'a number of the training': { 'spec.training.epochs': '4' },
    'early stopping, by adding it': { 'spec.training.earlyStopping': {} },
    'the evaluation': { 'spec.evaluation.everySteps': 10 },
    'the gate': { 'spec.gate.minimum': '0.1' },
    'the gate, by leaving it out': { 'spec.gate': undefined },
    'the output': { 'spec.output.s3.bucket': 'team-b' },
    'the checkpoints': { 'spec.checkpoints.keep': 3 },
    'the runtime': { 'spec.runtimeRef.name': 'other' },
    'the accelerators': { 'spec.resources.gpus': 0 },
    'the memory, by leaving it out': { 'spec.resources.memory': undefined },
    'the retries': { 'spec.retry.limit': 4 },
    'the dry run': { 'spec.dryRun': true },
  };
  const fieldOf = (changes: Changes) => Object.keys(changes)[0]!.split('.').slice(0, 2).join('.');

  for (const [name, changes] of Object.entries(frozen)) {
    test(`${name} cannot change, and can with a new runId`, async () => {
      const before = stored(await server.create(job(start, name.replaceAll(/[^a-z]+/g, '-'))));
      const field = fieldOf(changes);
      const message = `${field.slice('spec.'.length)} cannot change within a run; set a new runId`;
      assertRefused(await server.update(changed(before, changes)), field, message);
      stored(await server.update(changed(before, { ...changes, 'spec.runId': '2' })));
    });
  }

  for (const [name, changes] of Object.entries({
    training: { 'spec.training.epochs': '4' },
    dataset: { 'spec.dataset.labels': ['spam', 'ham'] },
  })) {
    test(`${name} cannot change while the status does, whichever of the two is written`, async () => {
      const created = stored(await server.create(job(start, `${name}-and-status`)));
      const progress = {
        phase: 'Training',
        totalSteps: 10,
        epoch: '0',
        percent: 0,
        updatedAt: '2026-01-01T00:00:00Z',
      };
      const atStep = (step: number) => ({ 'status.progress': { ...progress, step } });
      const running = stored(await server.updateStatus(changed(created, atStep(1))));
      const both = { ...changes, ...atStep(2), 'status.waitingSince': '2026-01-01T00:00:00Z' };
      const message = `${name} cannot change within a run`;
      assertRefused(await server.update(changed(running, both)), `spec.${name}`, message);
      const written = stored(await server.updateStatus(changed(running, both)));
      assert.deepEqual(written.spec, created.spec);
      assertRefused(await server.update(changed(written, changes)), `spec.${name}`, message);
    });
  }

  test('a gate cannot be added, and can with a new runId', async () => {
    const before = stored(await server.create(job({}, 'add-gate')));
    const gate = { 'spec.gate': { metric: 'f1', minimum: '0.9' } };
    assertRefused(await server.update(changed(before, gate)), 'spec.gate', 'gate cannot change');
    stored(await server.update(changed(before, { ...gate, 'spec.runId': 'again' })));
  });

  test('suspend can change, there and back', async () => {
    const before = stored(await server.create(job({}, 'suspend')));
    const suspended = stored(await server.update(changed(before, { 'spec.suspend': true })));
    const resumed = stored(await server.update(changed(suspended, { 'spec.suspend': false })));
    assert.equal(resumed.spec['suspend'], false);
  });

  test('the controller never changes, not even with a new runId', async () => {
    const own = stored(await server.create(job({}, 'own')));
    const other = { 'spec.managedBy': 'example.com/other' };
    const foreign = stored(await server.create(job(other, 'foreign')));
    const message = 'managedBy cannot change; make another job';
    assertRefused(
      await server.update(changed(own, { ...other, 'spec.runId': '2' })),
      'spec.managedBy',
      message,
    );
    assertRefused(
      await server.update(changed(foreign, { 'spec.managedBy': undefined })),
      'spec.managedBy',
      message,
    );
  });

  test('deadlines and budget can be set, changed and left out', async () => {
    let object = stored(await server.create(job({}, 'limits')));
    const budgets = [{ maxGpuHours: '1' }, { maxCost: '5' }, undefined];
    for (const [i, budget] of budgets.entries()) {
      const deadline = budget && 60 + i;
      const changes = {
        'spec.budget': budget,
        'spec.activeDeadlineSeconds': deadline,
        'spec.pendingDeadlineSeconds': deadline,
      };
      object = stored(await server.update(changed(object, changes)));
      assert.deepEqual(object.spec['budget'], budget);
    }
  });

  test('cancel cannot be taken back, and can with a new runId', async () => {
    const before = stored(await server.create(job({}, 'cancel')));
    const cancelled = stored(await server.update(changed(before, { 'spec.cancel': true })));
    const back = changed(cancelled, { 'spec.cancel': false });
    assertRefused(await server.update(back), 'spec.cancel', 'cannot be taken up again once it is cancelled');
    stored(await server.update(changed(back, { 'spec.runId': '2' })));
  });

  test('the time to live can be set, changed and left out', async () => {
    let object = stored(await server.create(job({}, 'ttl')));
    for (const ttl of [60, 0, undefined]) {
      object = stored(await server.update(changed(object, { 'spec.ttlSecondsAfterFinished': ttl })));
      assert.equal(object.spec['ttlSecondsAfterFinished'], ttl);
    }
  });

  test('two fields that change at once are both named', async () => {
    const before = stored(await server.create(job({}, 'two-fields')));
    const answer = await server.update(
      changed(before, { 'spec.training.epochs': '4', 'spec.resources.gpus': 0 }),
    );
    assert.ok(!answer.accepted);
    assert.deepEqual(answer.causes.map(({ field }) => field).toSorted(), ['spec.resources', 'spec.training']);
  });
});
