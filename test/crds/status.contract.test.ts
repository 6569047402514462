/** status on a real API server: who can write it, what it can hold, and how kubectl shows it. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { KubernetesObject } from '@kubernetes/client-node';
import { jobResource, resourceSchema } from '../../crds/crd.ts';
import { type FineTuneJobStatus, maxListBytes } from '../../crds/status.schema.ts';
import type { StructuralSchema } from '../../crds/structural-type.ts';
import { kindNames, metricNames, metricsOf } from '../../crds/tasks.ts';
import { leading } from '../../operator/decide/text.ts';
import { type Answer, type ApiServer, startApiServer } from './api-server.ts';
import { largest } from './largest.ts';
import { changed, job, type KubeObject, runtime } from './objects.ts';

let server: ApiServer;
before(async () => {
  server = await startApiServer('status');
});
after(() => server?.stop());

function stored(answer: Answer): KubeObject {
  assert.ok(answer.accepted, JSON.stringify(answer));
  return answer.object;
}

const decimals = (text: string) =>
  Object.fromEntries(
    [...metricNames, 'epoch', 'trainLoss', 'evalLoss', 'learningRate']
      .concat(['tokensPerSecond', 'value', 'low', 'high', 'pricePerHour', 'cost'])
      .concat(['unknownTokenShare', 'lengthRuleAccuracy', 'lowestEvalLoss', 'baseline', 'final'])
      .map((name) => [name, text]),
  );
const digests = { digest: `sha256:${'0'.repeat(64)}`, modelDigest: `sha256:${'0'.repeat(64)}` };
const statusSchema = resourceSchema(jobResource).properties!['status']!;

/** The same schema for texts as they are in life: at most 100 characters, counts of at most seven digits. */
function everyday(schema: StructuralSchema): StructuralSchema {
  const { maxLength, maximum, items, properties } = schema;
  return {
    ...schema,
    ...(maxLength === undefined ? {} : { maxLength: Math.min(maxLength, 100) }),
    ...(maximum === undefined ? {} : { maximum: Math.min(maximum, 9_999_999) }),
    ...(items ? { items: everyday(items) } : {}),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, field]) => [name, everyday(field)]),
      ),
    }),
  };
}

suite('who writes status', () => {
  test('a new job comes without one', async () => {
    const object = changed(job({}, 'new'), { status: { phase: 'Succeeded' } });
    assert.equal(stored(await server.create(object)).status, undefined);
  });

  test('an update of the job leaves it alone', async () => {
    const created = stored(await server.create(job({}, 'main-resource')));
    const written = stored(await server.updateStatus(changed(created, { status: { phase: 'Training' } })));
    const after = stored(await server.update(changed(written, { 'status.phase': 'Succeeded' })));
    assert.equal(after.status?.['phase'], 'Training');
  });

  test('an update of the status leaves the spec alone and keeps the generation', async () => {
    const created = stored(await server.create(job({}, 'sub-resource')));
    const changes = { 'status.phase': 'Training', 'spec.suspend': true };
    const after = stored(await server.updateStatus(changed(created, changes)));
    assert.equal(after.spec['suspend'], false);
    assert.equal((after.metadata as { generation?: number }).generation, 1);
  });

  test('however much it holds, it has one owner, and what tells of that does not grow with it', async () => {
    const created = stored(await server.create(job({}, 'one-owner')));
    const status = {
      phase: 'Training',
      conditions: [condition('Running')],
      startTime: '2026-01-01T00:00:00Z',
    };
    const written = stored(await server.updateStatus(changed(created, { status })));
    const { managedFields } = written.metadata as KubernetesObject['metadata'] & object;
    const ofStatus = managedFields!.filter(({ subresource }) => subresource === 'status');
    assert.deepEqual(
      ofStatus.map(({ fieldsV1 }) => fieldsV1),
      [{ 'f:status': {} }],
    );
  });
});

suite('what status holds', () => {
  const condition = {
    type: 'Running',
    status: 'True',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: 'TrainingRunning',
    message: 'The trainer is at work.',
  };
  const refused: Record<string, { status: object; field: string; message: string }> = {
    'a phase that does not exist': {
      status: { phase: 'Dreaming' },
      field: 'status.phase',
      message: 'Unsupported value: "Dreaming"',
    },
    'a condition type twice': {
      status: { conditions: [condition, condition] },
      field: 'status.conditions[1]',
      message: 'Duplicate value',
    },
    'a condition without a reason': {
      status: { conditions: [{ ...condition, reason: undefined }] },
      field: 'status.conditions[0].reason',
      message: 'Required value',
    },
    'a time that is none': {
      status: { startTime: 'yesterday' },
      field: 'status.startTime',
      message: 'must be of type date-time',
    },
    'a decimal that is not a number': {
      status: { evaluation: { rows: 1, final: { loss: 'NaN' } } },
      field: 'status.evaluation.final.loss',
      message: 'should match',
    },
    '51 points of history': {
      status: { history: Array.from({ length: 51 }, (_, step) => ({ step })) },
      field: 'status.history',
      message: 'must have at most 50 items',
    },
  };
  for (const [name, { status, field, message }] of Object.entries(refused)) {
    test(`${name} is refused`, async () => {
      const created = stored(
        await server.create(
          job(
            {},
            name
              .toLowerCase()
              .replaceAll(/[^a-z]+/g, '-')
              .replace(/^-/, ''),
          ),
        ),
      );
      const answer = await server.updateStatus({ ...created, status: { ...status } });
      assert.ok(!answer.accepted, 'accepted');
      assert.ok(
        answer.causes.some((cause) => cause.field === field && cause.message.includes(message)),
        JSON.stringify(answer.causes),
      );
    });
  }

  test('the largest status that the schema allows fits: 72 KB, a twentieth of what etcd takes', async () => {
    const status = largest(statusSchema, { ...decimals('-1.7976931348623157e+308'), ...digests }) as object;
    const created = stored(await server.create(job({}, 'largest')));
    const written = stored(await server.updateStatus({ ...created, status: { ...status } }));
    assert.deepEqual(written.status, status);
    const bytes = JSON.stringify(status).length;
    assert.ok(bytes < 72 * 1024, `${bytes} bytes`);
  });

  test('a long status of everyday texts, every list as full as the operator makes it, stays below 16 KB', async () => {
    const texts = { ...decimals('0.123456'), ...digests, label: 'billing question' };
    const full = largest(everyday(statusSchema), texts) as FineTuneJobStatus;
    // A run has the metrics of its task, here of the one with the most.
    const most = Math.max(...kindNames.map((kind) => metricsOf(kind).length));
    const ofOneTask = (all: object = {}) => Object.fromEntries(Object.entries(all).slice(0, most));
    const { baseline, final, slices = [], ...rest } = full.evaluation ?? {};
    const evaluation = {
      ...rest,
      slices: leading(slices, maxListBytes.slices),
      baseline: ofOneTask(baseline),
      final: ofOneTask(final),
    };
    const preflight = full.preflight!;
    const split = (one: (typeof preflight)['splits']['train']) => ({
      ...one,
      labels: leading(one.labels, maxListBytes.labels),
    });
    const status = {
      ...full,
      evaluation,
      history: leading(full.history!, maxListBytes.history),
      checkpoints: leading(full.checkpoints!, maxListBytes.checkpoints),
      preflight: {
        ...preflight,
        warnings: leading(preflight.warnings, maxListBytes.warnings),
        splits: {
          train: split(preflight.splits.train),
          validation: split(preflight.splits.validation!),
          test: split(preflight.splits.test),
        },
      },
    };
    const bytes = JSON.stringify(status).length;
    assert.ok(bytes < 16 * 1024, `${bytes} bytes`);
    const created = stored(await server.create(job({}, 'everyday')));
    stored(await server.updateStatus({ ...created, status: { ...status } }));
  });
});

suite('kubectl', () => {
  const cells = (line: string) => line.trim().split(/\s{2,}/);

  before(async () => {
    const created = stored(await server.create(job({}, 'columns')));
    stored(
      await server.updateStatus({
        ...created,
        status: {
          phase: 'Training',
          device: 'GPU',
          progress: {
            phase: 'Training',
            step: 42,
            totalSteps: 100,
            epoch: '0.84',
            percent: 42,
            done: '42%',
            trainLoss: '0.3141',
            evalLoss: '0.2718',
            etaSeconds: 77,
            eta: '1m17s',
            updatedAt: '2026-01-01T00:00:00Z',
          },
          evaluation: {
            rows: 300,
            primary: { metric: 'rmse', baseline: '0.92', final: '0.47' },
            gain: { metric: 'rmse', value: '0.45', low: '0.41', high: '0.49' },
          },
          usage: { attempts: 2, cost: '1.25' },
        },
      }),
    );
    stored(await server.create(runtime({ 'spec.queueName': 'gpus' }, 'columns')));
  });

  test('get ftj shows what a person wants to know', async () => {
    const [header, row] = (await server.kubectl(['get', 'ftj', 'columns'])).split('\n');
    assert.deepEqual(cells(header!), ['NAME', 'TASK', 'PHASE', 'PROGRESS', 'LOSS', 'EVAL', 'ETA', 'AGE']);
    const want = ['columns', 'SequenceClassification', 'Training', '42%', '0.3141', '0.2718', '1m17s'];
    assert.deepEqual(cells(row!).slice(0, -1), want);
  });

  test('get ftj -o wide adds metric, base, final, gain, device, cost and attempts', async () => {
    const [header, row] = (await server.kubectl(['get', 'ftj', 'columns', '-o', 'wide'])).split('\n');
    assert.deepEqual(cells(header!).slice(8), [
      'METRIC',
      'BASE',
      'FINAL',
      'GAIN',
      'DEVICE',
      'COST',
      'ATTEMPTS',
    ]);
    assert.deepEqual(cells(row!).slice(8), ['rmse', '0.92', '0.47', '0.45', 'GPU', '1.25', '2']);
  });

  test('get ftr shows accelerator and image', async () => {
    const [header, row] = (await server.kubectl(['get', 'ftr', 'columns', '-o', 'wide'])).split('\n');
    assert.deepEqual(cells(header!), ['NAME', 'ACCELERATOR', 'IMAGE', 'AGE', 'QUEUE']);
    const [name, accelerator, image, , queue] = cells(row!);
    assert.deepEqual(
      [name, accelerator, image, queue],
      ['columns', 'nvidia.com/gpu', 'registry.example.com/trainer:1', 'gpus'],
    );
  });

  test('explain tells what a field means', async () => {
    const text = await server.kubectl(['explain', 'ftj.spec.training.learningRate']);
    assert.match(text, /learningRate <string>[\s\S]*Peak learning rate\./);
  });

  test('wait follows a condition', async () => {
    const created = stored(await server.create(job({}, 'waited-for')));
    const ready = { ...condition('Ready'), status: 'True' };
    stored(await server.updateStatus({ ...created, status: { conditions: [ready] } }));
    await server.kubectl(['wait', 'ftj/waited-for', '--for=condition=Ready', '--timeout=60s']);
  });
});

function condition(type: string) {
  return {
    type,
    status: 'False',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: 'Succeeded',
    message: 'The model is trained, evaluated and published.',
  };
}
