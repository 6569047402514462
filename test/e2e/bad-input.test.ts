/** Bad input of every kind, on the cluster: each ends in a named failure that a person can act on. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { FailureCategory } from '../../crds/failures.ts';
import { asJsonLines, emailSplits } from '../demo/emails.ts';
import { miniLmDirectory } from '../golden/minilm.ts';
import { badModels, makeBadModel } from './bad-models.ts';
import {
  applyJobs,
  type Changes,
  condition,
  fineTuneJob,
  type Job,
  s3,
  waitForEnd,
  waitForJob,
} from './jobs.ts';
import { apply, secret } from './platform.ts';
import { type Platform, sharedPlatform, temporaryDirectory } from './shared-platform.ts';

const namespace = 'bad-input';
let platform: Platform;

type Case = { changes: () => Changes; want: { category: FailureCategory; message: RegExp } };
const bad = (prefix: string): Changes => ({ model: s3(platform.cluster, 'models', `bad/${prefix}`) });
const data = (changes: Changes): Changes => ({ dataset: changes });

/** Refused by preflight: no accelerator was ever requested for them. */
const refused: Record<string, Case> = {
  'unknown-column': {
    changes: () => data({ columns: { text: 'subject_line' } }),
    want: { category: 'DataError', message: /train\.jsonl.*line 1.*subject_line.*message/s },
  },
  'bad-json': {
    changes: () => data({ splits: { train: 'bad-json.jsonl' } }),
    want: { category: 'DataError', message: /bad-json\.jsonl.*line 7/s },
  },
  'label-outside-list': {
    changes: () => data({ labels: ['ham', 'phishing'] }),
    want: { category: 'DataError', message: /line \d+.*"?spam"?/s },
  },
  'empty-split': {
    changes: () => data({ splits: { test: 'empty.jsonl' } }),
    want: { category: 'DataError', message: /empty\.jsonl/ },
  },
  'missing-object': {
    changes: () => data({ splits: { train: 'nowhere.jsonl' } }),
    want: { category: 'SourceNotFound', message: /nowhere\.jsonl/ },
  },
  'missing-bucket': {
    changes: () => ({ model: s3(platform.cluster, 'no-such-bucket', 'minilm') }),
    want: { category: 'SourceNotFound', message: /no-such-bucket/ },
  },
  'wrong-credentials': {
    changes: () => data({ source: s3(platform.cluster, 'datasets', 'few-emails', 'wrong') }),
    want: { category: 'SourceForbidden', message: /datasets/ },
  },
  'unknown-type': {
    changes: () => bad('unknown-type'),
    want: { category: 'ModelError', message: /frobnicator/ },
  },
  'pickle-only': {
    changes: () => bad('pickle-only'),
    want: { category: 'ModelError', message: /pytorch_model\.bin|pickle/ },
  },
  'corrupt-header': {
    changes: () => bad('corrupt-header'),
    want: { category: 'ModelError', message: /model\.safetensors/ },
  },
  truncated: {
    changes: () => bad('truncated'),
    want: { category: 'ModelError', message: /model\.safetensors/ },
  },
  'small-vocabulary': {
    changes: () => bad('small-vocabulary'),
    want: { category: 'ModelError', message: /1,?000|vocab/ },
  },
  'too-long': {
    changes: () => ({ training: { maxLength: 513 } }),
    want: { category: 'ConfigError', message: /513.*512/s },
  },
};

/** They pass preflight and fail in the trainer. `runtime`: a FineTuneRuntime of the same name, for this job alone. */
const failing: Record<
  string,
  {
    title: string;
    changes: Changes;
    runtime?: () => object;
    category: FailureCategory;
    also?: (status: NonNullable<Job['status']>) => void;
  }
> = {
  'small-memory': {
    title:
      'a trainer killed for memory is tried with smaller batches, then fails, and the hint names the limit',
    changes: { resources: { memory: '300Mi' }, retry: { outOfMemoryLimit: 1 } },
    category: 'HostOutOfMemory',
    also({ failure, usage, microBatch }) {
      assert.match(`${failure?.message} ${failure?.hint}`, /300Mi/);
      assert.deepEqual([usage?.attempts, microBatch?.retries], [2, 1]);
    },
  },
  nan: {
    title: 'a loss that is not finite fails at once, naming step and learning rate',
    changes: { training: { learningRate: '1e30', warmup: '0' } },
    category: 'NonFiniteLoss',
    also({ failure, result }) {
      assert.match(failure?.message ?? '', /step \d+/);
      assert.equal(result, undefined);
    },
  },
  strict: {
    title: 'an accelerator that cannot be used is a clear failure, never a silent run on the CPU',
    changes: { runtimeRef: { name: 'strict' } },
    runtime: () => ({ image: platform.images.trainer.reference }),
    category: 'AcceleratorUnusable',
  },
};

before(async () => {
  platform = await sharedPlatform(namespace);
  const { cluster, buckets } = platform;
  const sound = await miniLmDirectory();
  const parent = await temporaryDirectory();
  for (const name of Object.keys(badModels)) {
    await buckets.putFolder('models', `bad/${name}`, makeBadModel(sound, parent, name));
  }
  const rows = asJsonLines((await emailSplits({ train: 40, validation: 0, test: 0 })).train).split('\n');
  rows[6] = '{"message": "half an obj';
  await buckets.put('datasets', 'few-emails/bad-json.jsonl', rows.join('\n'));
  await buckets.put('datasets', 'few-emails/empty.jsonl', '');
  await apply(cluster, [
    secret(namespace, 'wrong', { accessKeyId: 'nobody', secretAccessKey: 'not-the-canary-8731' }),
  ]);
  const jobs = Object.entries(refused).map(([name, one]) =>
    fineTuneJob(cluster, namespace, name, one.changes()),
  );
  await applyJobs(cluster, ...jobs);
});

after(async () => {
  await platform.cluster.kubectl(['delete', 'finetunejobs', '--all', '-n', namespace], {
    allowFailure: true,
  });
  platform.buckets.close();
});

for (const [name, { want }] of Object.entries(refused)) {
  test(`${name} is refused by preflight as ${want.category}`, async () => {
    const job = await waitForEnd(platform.cluster, namespace, name);
    assert.equal(job.status?.phase, 'Failed');
    assert.equal(job.status.failure?.category, want.category, JSON.stringify(job.status.failure));
    assert.match(job.status.failure.message, want.message);
    assert.ok(job.status.failure.hint.length > 10, 'a hint says what to do');
    assert.equal(condition(job, 'Validated'), 'False');
    assert.equal(condition(job, 'Stalled'), 'True');
    assert.equal(job.status.usage?.gpuSeconds ?? 0, 0);
    assert.doesNotMatch(JSON.stringify(job), /not-the-canary-8731/);
  });
}

// Most of their time is waiting.
suite('jobs that pass preflight, or never get there', { concurrency: 4 }, () => {
  test('a refused job costs no further work: its resource version rests', async () => {
    const version = async () =>
      platform.cluster.kubectl([
        'get',
        'finetunejob',
        'empty-split',
        '-n',
        namespace,
        '-o',
        'jsonpath={.metadata.resourceVersion}',
      ]);
    await waitForEnd(platform.cluster, namespace, 'empty-split');
    const first = await version();
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    assert.equal(await version(), first);
  });

  test('more accelerators than exist: pending, and the status says why', async () => {
    const { cluster } = platform;
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'too-many-gpus', { resources: { gpus: 5 } }));
    const job = await waitForJob(
      cluster,
      namespace,
      'too-many-gpus',
      'unschedulable',
      (one) => one.status?.failure?.category === 'Unschedulable',
    );
    assert.match(job.status!.failure!.message, /nvidia\.com\/gpu/);
    assert.notEqual(job.status!.phase, 'Failed');
    assert.equal(condition(job, 'Validated'), 'True');
    assert.equal(condition(job, 'Running'), 'False');
    await cluster.kubectl(['delete', 'finetunejob', 'too-many-gpus', '-n', namespace]);
  });

  test('an image that cannot be pulled: pending, and the status names it', async () => {
    const { cluster } = platform;
    const image = 'registry.invalid/no/such:image';
    await apply(cluster, [runtimeOf('no-image', { image })]);
    await applyJobs(
      cluster,
      fineTuneJob(cluster, namespace, 'no-image', { runtimeRef: { name: 'no-image' } }),
    );
    const job = await waitForJob(
      cluster,
      namespace,
      'no-image',
      'waiting for its image',
      (one) => one.status?.failure?.category === 'ImagePull',
    );
    assert.match(job.status!.failure!.message, /registry\.invalid\/no\/such:image/);
    assert.notEqual(job.status!.phase, 'Failed');
    await cluster.kubectl(['delete', 'finetunejob', 'no-image', '-n', namespace]);
    await cluster.kubectl(['delete', 'finetuneruntime', 'no-image']);
  });

  test('a runtime that does not exist: pending until it is there', async () => {
    const { cluster } = platform;
    await applyJobs(
      cluster,
      fineTuneJob(cluster, namespace, 'no-runtime', { runtimeRef: { name: 'missing' } }),
    );
    const job = await waitForJob(
      cluster,
      namespace,
      'no-runtime',
      'waiting for its runtime',
      (one) => one.status?.failure?.category === 'RuntimeNotFound',
    );
    assert.match(job.status!.failure!.message, /missing/);
    await cluster.kubectl(['delete', 'finetunejob', 'no-runtime', '-n', namespace]);
  });

  for (const [name, { title, changes, runtime, category, also }] of Object.entries(failing)) {
    test(title, async () => {
      const { cluster } = platform;
      if (runtime !== undefined) await apply(cluster, [runtimeOf(name, runtime())]);
      await applyJobs(cluster, fineTuneJob(cluster, namespace, name, changes));
      const { status } = await waitForEnd(cluster, namespace, name);
      assert.ok(status);
      assert.equal(status.failure?.category, category, JSON.stringify(status.failure));
      also?.(status);
      if (runtime !== undefined) await cluster.kubectl(['delete', 'finetuneruntime', name]);
    });
  }
});

function runtimeOf(name: string, spec: object): object {
  return { apiVersion: 'finetune.dev/v1alpha1', kind: 'FineTuneRuntime', metadata: { name }, spec };
}
