/** The whole product on one job: examples/spam-filter.yaml on the real cluster, from apply to a published, better model. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { stringify } from 'yaml';
import { demoCounts, demoEmails } from '../demo/data.ts';
import { readExample, withEndpoint } from '../demo/example.ts';
import { summary, type TrainingReport } from '../demo/narration.ts';
import { pythonPeers } from '../golden/python.ts';
import { applyJobs, condition, fineTuneJob, type Job, waitForEnd, waitForJob } from './jobs.ts';
import { instant, samples, startMonitoring } from './platform.ts';
import { type Platform, sharedPlatform, temporaryDirectory } from './shared-platform.ts';

const namespace = 'spam';
let platform: Platform;
let prometheus: Awaited<ReturnType<typeof startMonitoring>>;
let job: Job;
let running: Job;
let startSeconds: number;
let result: string;
let report: TrainingReport & { predictions?: unknown };

before(async () => {
  platform = await sharedPlatform(namespace);
  const { cluster, buckets } = platform;
  await demoEmails(buckets);
  prometheus = await startMonitoring(cluster);
  startSeconds = Date.now() / 1000;
  const manifest = withEndpoint(readExample('spam-filter.yaml'), cluster.s3.endpoint);
  await cluster.kubectl(['apply', '-n', namespace, '-f', '-'], { input: stringify(manifest) });
  const inTraining = (one: Job) => (one.status?.progress?.step ?? 0) > 20;
  running = await waitForJob(cluster, namespace, 'spam-filter', 'in training', inTraining);
  job = await waitForEnd(cluster, namespace, 'spam-filter', 30 * 60_000);
  result = await temporaryDirectory();
  for (const key of await buckets.list('results', 'spam-filter/')) {
    if (key.includes('/checkpoints/')) continue;
    const file = join(result, key.slice('spam-filter/'.length));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, await buckets.get('results', key));
  }
  report = JSON.parse(readFileSync(join(result, 'report', 'report.json'), 'utf8')) as typeof report;
});

after(async () => {
  await platform.cluster.kubectl(['delete', 'finetunejobs', '--all', '-n', namespace], {
    allowFailure: true,
  });
  await prometheus.stop();
  platform.buckets.close();
});

test('the tuned model is at least 96 % right on 300 or more held-out e-mails, clearly above the base model', () => {
  assert.equal(job.status?.phase, 'Succeeded', JSON.stringify(job.status?.failure));
  const { evaluation } = job.status;
  assert.equal(evaluation?.rows, demoCounts.test);
  assert.ok(demoCounts.test >= 300);
  assert.ok(Number(evaluation.final?.accuracy) >= 0.96, `accuracy ${evaluation.final?.accuracy}`);
  assert.ok(Number(evaluation.gain?.low) > 0.1, `gain ${JSON.stringify(evaluation.gain)}`);
});

test('the loss of the last ten steps is at most a quarter of the first ten', () => {
  const { firstTrainLoss, lastTrainLoss } = summary(job, report, []);
  assert.ok(firstTrainLoss! / lastTrainLoss! >= 4, `${firstTrainLoss} -> ${lastTrainLoss}`);
});

test('status shows progress while the trainer runs', () => {
  const { status } = running;
  assert.equal(status?.phase, 'Training');
  assert.equal(condition(running, 'Running'), 'True');
  assert.equal(condition(running, 'Reconciling'), 'True');
  assert.equal(status.device, 'CPU');
  assert.ok(status.progress!.percent > 0 && status.progress!.percent < 100);
  assert.ok(Number(status.progress?.tokensPerSecond) > 0);
  assert.ok((status.progress?.etaSeconds ?? 0) > 0);
});

test('status tells the whole story afterwards', () => {
  const { status } = job;
  for (const [type, want] of Object.entries({
    Validated: 'True',
    Running: 'False',
    Complete: 'True',
    Failed: 'False',
    Rejected: 'False',
    Suspended: 'False',
    SliceGapGrown: 'Unknown',
    Ready: 'True',
    Reconciling: 'False',
    Stalled: 'False',
  })) {
    assert.equal(condition(job, type), want, type);
  }
  assert.notEqual(condition(job, 'Overfitting'), 'Unknown');
  assert.ok(status?.conditions?.every((one) => one.observedGeneration === job.metadata.generation));
  assert.ok((status?.history?.length ?? 0) > 10 && status!.history!.length <= 50);
  assert.equal(status?.preflight?.splits.train.rows, demoCounts.train);
  assert.equal(status?.usage?.attempts, 1);
  assert.ok((status?.usage?.gpuSeconds ?? 0) > 0);
  assert.match(status?.result?.uri ?? '', /^s3:\/\/results\/spam-filter\/model/);
  assert.ok(JSON.stringify(status).length < 16_384);
});

test('kubectl get shows task, phase, progress and losses', async () => {
  const table = await platform.cluster.kubectl(['get', 'ftj', '-n', namespace, '-o', 'wide']);
  assert.match(table, /^NAME +TASK +PHASE +PROGRESS +LOSS +EVAL +ETA +/);
  assert.match(table, /spam-filter +SequenceClassification +Succeeded +100% /);
});

test('there is an event for each transition', async () => {
  const events = JSON.parse(
    await platform.cluster.kubectl([
      'get',
      'events',
      '-n',
      namespace,
      '-o',
      'json',
      '--field-selector',
      'involvedObject.kind=FineTuneJob',
    ]),
  ) as { items: { reason: string }[] };
  const reasons = new Set(events.items.map((event) => event.reason));
  for (const reason of ['PreflightRunning', 'PreflightPassed', 'TrainingRunning', 'Succeeded']) {
    assert.ok(reasons.has(reason), `${reason} in ${[...reasons].join(', ')}`);
  }
});

test('the train pod really asked for a GPU and holds no API credential', async () => {
  const pods = JSON.parse(
    await platform.cluster.kubectl([
      'get',
      'pods',
      '-n',
      namespace,
      '-l',
      'finetune.dev/stage=train',
      '-o',
      'json',
    ]),
  ) as {
    items: {
      spec: {
        automountServiceAccountToken: boolean;
        volumes: object[];
        containers: { resources: { limits: Record<string, string> } }[];
      };
    }[];
  };
  const { spec } = pods.items[0]!;
  assert.equal(spec.containers[0]!.resources.limits['nvidia.com/gpu'], '1');
  assert.equal(spec.automountServiceAccountToken, false);
  assert.doesNotMatch(JSON.stringify(spec.volumes), /serviceAccountToken/);
});

test('Prometheus scraped the trainer and its loss falls', async () => {
  const query = `finetune_trainer_loss{job="spam-filter",namespace="${namespace}"}`;
  const values = await samples(prometheus, query, startSeconds);
  assert.ok(values.length > 10, `${values.length} samples`);
  assert.ok(values.at(-1)! < values[0]! / 2, `${values[0]} -> ${values.at(-1)}`);
});

test('Prometheus scraped the operator', async () => {
  const [reconciles] = await instant(prometheus, 'sum(controller_runtime_reconcile_total{result="success"})');
  assert.ok((reconciles ?? 0) > 5, `${reconciles} passes`);
  const info = await instant(prometheus, `finetune_job_info{name="spam-filter",namespace="${namespace}"}`);
  assert.deepEqual(info, [1]);
});

test('Hugging Face transformers loads the published model and gives the same logits', async () => {
  const python = await pythonPeers();
  const lines = readFileSync(join(result, 'report', 'predictions.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const ours = lines.slice(0, 64).map((line) => JSON.parse(line) as { text: string; logits: number[] });
  const script = new URL('../golden/verify_export.py', import.meta.url).pathname;
  const input = JSON.stringify({ texts: ours.map((one) => one.text), maxLength: 128 });
  const answer = execFileSync(python, [script, join(result, 'model')], { encoding: 'utf8', input });
  const theirs = JSON.parse(answer) as { logits: number[][]; class: string };
  assert.equal(theirs.class, 'BertForSequenceClassification');
  const worst = Math.max(
    ...ours.flatMap((one, row) => one.logits.map((x, i) => Math.abs(x - theirs.logits[row]![i]!))),
  );
  assert.ok(worst < 1e-4, `largest difference of a logit: ${worst}`);
});

suite('small jobs beside it', { concurrency: 2 }, () => {
  test('a dry run stops after preflight with a plan, and trains nothing', async () => {
    const { cluster } = platform;
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'dry', { dryRun: true }));
    const dry = await waitForEnd(cluster, namespace, 'dry');
    assert.equal(dry.status?.phase, 'Validated');
    assert.equal(dry.status.preflight?.totalSteps, 30);
    assert.ok(dry.status.preflight.memoryEstimateBytes > 3e8);
    const jobs = await cluster.kubectl([
      'get',
      'jobs',
      '-n',
      namespace,
      '-l',
      'finetune.dev/job=dry,finetune.dev/stage=train',
      '-o',
      'name',
    ]);
    assert.equal(jobs.trim(), '');
  });

  test('a model below the gate is rejected and not published', async () => {
    const { cluster, buckets } = platform;
    const gate = { metric: 'accuracy', minimum: '1' };
    const training = { epochs: '0.2', learningRate: '1e-6' };
    await applyJobs(cluster, fineTuneJob(cluster, namespace, 'rejected', { gate, training }));
    const rejected = await waitForEnd(cluster, namespace, 'rejected');
    assert.equal(rejected.status?.phase, 'Rejected', JSON.stringify(rejected.status?.failure));
    assert.equal(condition(rejected, 'Stalled'), 'True');
    const keys = await buckets.list('results', `${namespace}/rejected/`);
    assert.deepEqual(
      keys.filter((key) => key.includes('/model/')),
      [],
    );
    assert.ok(keys.some((key) => key.endsWith('report/report.html')));
  });
});
