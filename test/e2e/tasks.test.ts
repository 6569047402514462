/** Each task on the cluster, from the applied job to the report: a small run of MiniLM on e-mails. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { MetricName } from '../../crds/tasks.ts';
import { emailSplits } from '../demo/emails.ts';
import { asTaggedLines, taggedWords } from '../demo/entities.ts';
import { applyJobs, type Changes, condition, fineTuneJob, type Job, s3, waitForEnd } from './jobs.ts';
import { type Platform, sharedPlatform } from './shared-platform.ts';

const namespace = 'tasks';
let platform: Platform;

before(async () => {
  platform = await sharedPlatform(namespace);
  const few = await emailSplits({ train: 240, validation: 40, test: 60 });
  for (const [split, emails] of Object.entries(few)) {
    const of = (label: string) => taggedWords(emails.filter((email) => email.label === label));
    const lines = asTaggedLines(['ham', 'spam'].flatMap((mail) => of(mail).map((row) => ({ ...row, mail }))));
    await platform.buckets.put('datasets', `few-entities/${split}.jsonl.gz`, gzipSync(lines));
    const message = { name: 'message', data: emails.map(({ text }) => text), type: 'STRING' } as const;
    const file = parquetWriteBuffer({ columnData: [message] });
    await platform.buckets.put('datasets', `few-texts/${split}.parquet`, new Uint8Array(file));
  }
});

after(async () => {
  await platform.cluster.kubectl(['delete', 'finetunejobs', '--all', '-n', namespace], {
    allowFailure: true,
  });
  platform.buckets.close();
});

async function run(name: string, changes: Changes): Promise<Job> {
  await applyJobs(platform.cluster, fineTuneJob(platform.cluster, namespace, name, changes));
  const job = await waitForEnd(platform.cluster, namespace, name);
  assert.equal(job.status?.phase, 'Succeeded', JSON.stringify(job.status));
  assert.ok(JSON.stringify(job.status).length < 16 * 1024);
  return job;
}

/** Both models have these metrics and no others. */
function assertMetrics({ status }: Job, names: readonly MetricName[]): void {
  const { baseline, final } = status!.evaluation!;
  for (const model of [baseline!, final!]) assert.deepEqual(Object.keys(model).sort(), [...names].sort());
}

async function assertPublished(name: string, architecture: string, words: RegExp): Promise<void> {
  const folder = `${namespace}/${name}`;
  const read = async (path: string) =>
    (await platform.buckets.get('results', `${folder}/${path}`)).toString();
  const config = JSON.parse(await read('model/config.json')) as { architectures: string[] };
  assert.deepEqual(config.architectures, [architecture]);
  assert.match(await read('report/report.html'), words);
  const keys = await platform.buckets.list('results', folder);
  for (const file of ['model/model.safetensors', 'model/tokenizer.json', 'report/predictions.jsonl'])
    assert.ok(keys.includes(`${folder}/${file}`), file);
}

/** Files of the splits that end in `suffix`. */
const splitsIn = (suffix: string) =>
  Object.fromEntries(['train', 'validation', 'test'].map((split) => [split, `${split}${suffix}`]));

/** undefined takes away what the plain job of the tests names. */
const tagColumns = { text: undefined, label: undefined, tokens: 'tokens', tags: 'tags' };

// Side by side, one for each accelerator of the node.
suite('each task', { concurrency: 2 }, () => {
  test('words learn their tags: entities in e-mails, compressed', async () => {
    const job = await run('entities', {
      task: 'TokenClassification',
      dataset: {
        source: s3(platform.cluster, 'datasets', 'few-entities'),
        columns: tagColumns,
        splits: splitsIn('.jsonl.gz'),
        slices: ['mail'],
      },
      training: { epochs: '2', learningRate: '5e-4', earlyStopping: { metric: 'f1' } },
      gate: { metric: 'f1', minimum: '0.3', minimumGainOverBaseline: '0.2', slices: { minimum: '0.1' } },
    });
    assertMetrics(job, ['accuracy', 'f1', 'loss', 'precision', 'recall', 'strictF1']);
    const { evaluation, preflight } = job.status!;
    assert.equal(evaluation!.gain?.metric, 'f1');
    assert.ok(Number(evaluation!.gain!.low) > 0, JSON.stringify(evaluation));
    const [slices] = evaluation!.slices ?? [];
    assert.equal(slices?.column, 'mail');
    assert.ok(['ham', 'spam'].includes(slices.worst!.slice), JSON.stringify(slices));
    assert.ok(Number(slices.worst!.final) > Number(slices.worst!.baseline), JSON.stringify(slices));
    assert.ok(Number(slices.gap!.final) >= 0 && slices.growth !== undefined, JSON.stringify(slices));
    assert.notEqual(condition(job, 'SliceGapGrown'), 'Unknown');
    assert.equal(evaluation!.primary!.final, evaluation!.final!.f1);
    assert.equal(preflight!.splits.train.labels[0]!.label, 'O');
    assert.ok(preflight!.splits.train.lostWords !== undefined);
    await assertPublished('entities', 'BertForTokenClassification', /Entity F1 by mail/);
  });

  test('masked tokens are guessed better, without labels, from Parquet', async () => {
    const job = await run('masked', {
      task: 'MaskedLM',
      dataset: {
        source: s3(platform.cluster, 'datasets', 'few-texts'),
        format: 'Parquet',
        columns: { text: 'message', label: undefined },
        splits: splitsIn('.parquet'),
      },
      // Whole e-mails, wrapped, are five times as many tokens as their beginnings.
      training: { epochs: '0.25', masking: { wholeWord: true } },
    });
    assertMetrics(job, ['accuracy', 'loss', 'perplexity']);
    const { gain, baseline, final } = job.status!.evaluation!;
    assert.equal(gain?.metric, 'loss');
    assert.ok(Number(gain.low) > 0 && Number(final!.loss) < Number(baseline!.loss), JSON.stringify(gain));
    assert.equal(job.status!.preflight!.labels, 0);
    assert.equal(condition(job, 'SliceGapGrown'), 'Unknown');
    await assertPublished('masked', 'BertForMaskedLM', /Perplexity/);
  });
});
