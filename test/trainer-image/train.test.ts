/** The trainer as a process: what a run leaves behind, and what each kind of trouble comes to. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ResultOf, RunConfig } from '../../crds/trainer-contract.ts';
import { SafetensorsFile } from '../../trainer-image/model/safetensors.ts';
import type { Report } from '../../trainer-image/report/report.ts';
import { hasBf16Units, requireBf16Units } from '../../trainer-image/run/bf16.ts';
import { type Ended, succeeded, Workplace } from './trainer-process.ts';

let place: Workplace;
before(async () => {
  place = await Workplace.create();
});
after(() => place.remove());

const configFor = (name: string, change?: (config: RunConfig) => void) => place.configFor(name, change);
const outputOf = (name: string, ...path: string[]) => place.outputOf(name, ...path);
const reportOf = (name: string) => place.reportOf(name);

function failed(ended: Ended, category: string, exitCode: number, message: RegExp): void {
  assert.equal(ended.result.outcome, 'Failed', ended.log);
  const result = ended.result as ResultOf<'Failed'>;
  assert.equal(result.category, category, ended.log);
  assert.match(result.message, message);
  assert.ok(result.hint.length > 10);
  assert.equal(ended.exitCode, exitCode);
}

test('a run learns, publishes model and report, and says so in its termination message', async () => {
  const result = succeeded(await place.run(configFor('success')));
  assert.equal(result.step, 36);
  assert.equal(result.epoch, 3);
  assert.equal(result.device, 'CPU');
  assert.equal(result.evaluation.rows, 24);
  assert.ok(result.evaluation.final.accuracy! >= 0.9, JSON.stringify(result.evaluation));
  assert.ok(result.evaluation.gain!.low > 0.1);
  assert.equal(result.model.uri, 'pvc://out/success/model');
  assert.deepEqual(
    result.checkpoints.map(({ step }) => step),
    [36, 32],
  );
  const model = readdirSync(outputOf('success', 'model')).sort();
  assert.deepEqual(
    ['README.md', 'config.json', 'model.safetensors', 'tokenizer.json'].filter(
      (file) => !model.includes(file),
    ),
    [],
  );
  assert.deepEqual(
    readdirSync(outputOf('success', 'checkpoints', '1'))
      .filter(existsStep('success'))
      .sort(),
    ['step-00000032', 'step-00000036'],
  );
});

const existsStep = (name: string) => (step: string) =>
  existsSync(outputOf(name, 'checkpoints', '1', step, 'manifest.json'));

test('the report holds every loss, the best step, the comparison and a prediction for each test row', () => {
  const report = reportOf('success');
  assert.equal(report.stepLosses.length, 36);
  assert.ok(report.stepLosses.at(-1)! < report.stepLosses[0]! / 2);
  assert.deepEqual(
    report.validation.map(({ step }) => step),
    [5, 10, 15, 20, 25, 30, 35, 36],
  );
  const best = report.validation.reduce((a, b) => (b.loss < a.loss ? b : a));
  assert.equal(report.training.best?.step, best.step);
  assert.equal(report.overfitting?.lowestStep, best.step);
  assert.equal(report.overfitting?.evalLoss, report.validation.at(-1)?.loss);
  assert.deepEqual(report.model.newlyInitialized, ['classifier.weight', 'classifier.bias']);
  assert.match(report.verdict.sentence, /^Better than the base model/);
  const predictions = readFileSync(outputOf('success', 'report', 'predictions.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  assert.equal(predictions.length, 24);
  const first = JSON.parse(predictions[0]!) as { text: string; logits: number[]; label: string };
  assert.equal(first.logits.length, 2);
  assert.match(first.text, /meeting at noon lunch$/);
  assert.match(readFileSync(outputOf('success', 'report', 'report.html'), 'utf8'), /^<!doctype html>/);
});

test('a run that was finished before gives its result again and trains nothing', async () => {
  const config = configFor('success');
  const again = await place.run(config);
  const result = succeeded(again);
  assert.equal(result.podUid, 'pod-1');
  assert.equal(result.model.digest, reportDigest('success'));
  assert.doesNotMatch(again.log, /"message":"training"/);
});

function reportDigest(name: string): string {
  const { result } = JSON.parse(readFileSync(outputOf(name, 'runs', '1.json'), 'utf8')) as {
    result: ResultOf<'Succeeded'>;
  };
  return result.model.digest;
}

const others = {
  'another job with the same output': { uid: 'somebody-else' },
  'a job that goes back to an earlier runId': { uid: 'somebody-else', startTime: '2026-01-02T00:00:00Z' },
};
for (const [who, identity] of Object.entries(others)) {
  test(`${who} trains anew: it takes neither marker nor checkpoints`, async () => {
    const ended = await place.run(configFor('success', ({ job }) => Object.assign(job, identity)));
    assert.equal(succeeded(ended).resumedFromStep, undefined);
    assert.match(ended.log, /"message":"training"/);
  });
}

test('a model takes the place of that of an earlier run: none of its files stay, those of others do', async () => {
  for (const name of ['added_tokens.json', 'notes.md'])
    writeFileSync(outputOf('success', 'model', name), '{}');
  const later = configFor('success', ({ job, training }) => {
    job.uid = 'later';
    training.epochs = 0.1;
  });
  succeeded(await place.run(later));
  assert.equal(existsSync(outputOf('success', 'model', 'added_tokens.json')), false);
  assert.equal(existsSync(outputOf('success', 'model', 'notes.md')), true);
});

test('a model that misses the gate is Rejected: its report is there, the model is not', async () => {
  const ended = await place.run(
    configFor('rejected', (config) => {
      config.gate = { metric: 'f1', minimum: 1, minimumGainOverBaseline: 0.9 };
    }),
  );
  assert.equal(ended.exitCode, 0, ended.log);
  const result = ended.result as ResultOf<'Rejected'>;
  assert.equal(result.outcome, 'Rejected');
  assert.match(result.message, /f1 gained/);
  assert.equal(existsSync(outputOf('rejected', 'model')), false);
  assert.ok(existsSync(outputOf('rejected', 'report', 'report.html')));
});

test('an accelerator that was asked for and cannot be used is a failure, never a silent CPU run', async () => {
  const ask = (whenUnusable: 'Fail' | 'UseCPU') =>
    configFor(`gpu-${whenUnusable}`, ({ accelerator }) => {
      Object.assign(accelerator, { count: 1, whenUnusable });
    });
  failed(await place.run(ask('Fail')), 'AcceleratorUnusable', 15, /1 nvidia\.com\/gpu requested/);
  const ended = await place.run(ask('UseCPU'));
  assert.equal(succeeded(ended).device, 'CPU');
  assert.match(ended.log, /training on the CPU in place of the accelerator/);
  assert.match(reportOf('gpu-UseCPU').deviceWarning!, /finds no GPU/);
});

test('products in bfloat16: the published weights are float32; without units for them the run is refused', async () => {
  const config = configFor('bf16', ({ training }) => {
    training.bf16 = true;
  });
  const ended = await place.run(config);
  if (!hasBf16Units(readFileSync('/proc/cpuinfo', 'utf8')))
    return failed(ended, 'ConfigError', 10, /training\.bf16 is true, but this processor has no unit/);
  const result = succeeded(ended);
  assert.ok(result.evaluation.final.accuracy! >= 0.9, JSON.stringify(result.evaluation));
  const file = new SafetensorsFile(outputOf('bf16', 'model', 'model.safetensors'));
  for (const [name, { dtype }] of file.entries) assert.equal(dtype, 'F32', name);
  file.close();
  const losses = reportOf('bf16').stepLosses;
  assert.notDeepEqual(losses, reportOf('success').stepLosses);
  assert.ok(Math.abs(losses[0]! / reportOf('success').stepLosses[0]! - 1) < 2 ** -8, String(losses[0]));
});

test('a processor has units for bfloat16 or has none', () => {
  const flags = (...names: string[]) => `processor\t: 0\nflags\t\t: fpu ${names.join(' ')}\nbugs\t\t: bf16\n`;
  assert.ok(hasBf16Units(flags('avx512f', 'avx512_bf16', 'sse')));
  assert.ok(hasBf16Units(flags('amx_bf16')));
  assert.ok(hasBf16Units('Features\t: fp asimd i8mm bf16 dgh\n'));
  assert.ok(!hasBf16Units(flags('avx2', 'avx512f', 'avx512_vnni')));
  assert.throws(() => requireBf16Units(flags('avx2')), { category: 'ConfigError' });
});

test('a label outside the list names file and line', async () => {
  const config = configFor('label', ({ dataset }) => {
    dataset.labels = ['ham', 'other'];
  });
  failed(await place.run(config), 'DataError', 11, /train\.jsonl[\s\S]*line 2[\s\S]*spam/);
});

test('data and model that changed since preflight are refused', async () => {
  const seen = await place.run(configFor('seen'), 'preflight');
  assert.equal(seen.exitCode, 0, seen.log);
  const { preflight } = seen.result as ResultOf<'Validated'>;
  const expected = {
    modelDigest: preflight.modelDigest,
    trainDigest: preflight.splits.train.digest,
    validationDigest: preflight.splits.validation!.digest,
    testDigest: preflight.splits.test.digest,
  };
  const wrong = `sha256:${'0'.repeat(64)}`;
  const withExpected = (change: Partial<typeof expected>) =>
    configFor('changed', (config) => {
      config.expected = { ...expected, ...change };
      config.training.epochs = 0.1;
    });
  failed(
    await place.run(withExpected({ testDigest: wrong })),
    'DataError',
    11,
    /test split .* changed since preflight/,
  );
  failed(
    await place.run(withExpected({ modelDigest: wrong })),
    'ModelError',
    12,
    /model .* changed since preflight/,
  );
  succeeded(await place.run(withExpected({})));
});

test('a run config that breaks the contract is a ConfigError that still names its job', async () => {
  const config = { ...configFor('broken'), contractVersion: 99 } as unknown as RunConfig;
  const ended = await place.run(config);
  failed(ended, 'ConfigError', 10, /contractVersion/);
  assert.equal(ended.result.jobUid, 'broken');
});

/** A longer run, so that it can be hit in the middle. */
const long = (name: string) =>
  configFor(name, (config) => {
    config.training.epochs = 20;
    config.checkpoints.everySteps = 25;
    config.evaluation.everySteps = 30;
  });

let undisturbed: Promise<Report> | undefined;
async function undisturbedReport(): Promise<Report> {
  undisturbed ??= place.run(long('undisturbed')).then((ended) => {
    succeeded(ended);
    return reportOf('undisturbed');
  });
  return undisturbed;
}

async function assertSameAsUndisturbed(name: string): Promise<void> {
  const want = await undisturbedReport();
  const got = reportOf(name);
  assert.deepEqual(got.stepLosses, want.stepLosses);
  assert.deepEqual(got.validation, want.validation);
  assert.deepEqual(got.baseline, want.baseline);
  assert.deepEqual(got.final, want.final);
  assert.deepEqual(got.gain, want.gain);
  assert.equal(reportDigest(name), reportDigest('undisturbed'));
}

test('SIGTERM saves a checkpoint and ends with 143; the next pod goes on to the very same numbers', async () => {
  const trainer = await place.start(long('sigterm'));
  await trainer.reaches(60);
  trainer.child.kill('SIGTERM');
  const ended = await trainer.ended;
  assert.equal(ended.exitCode, 143, ended.log);
  const interrupted = ended.result as ResultOf<'Interrupted'>;
  assert.equal(interrupted.outcome, 'Interrupted');
  assert.ok(interrupted.step >= 60 && interrupted.step < 240);
  assert.equal(interrupted.checkpoints[0]?.step, interrupted.step);
  assert.ok(interrupted.checkpoints[0].metric!.value > 0);
  const result = succeeded(await place.run(long('sigterm')));
  assert.equal(result.resumedFromStep, interrupted.step);
  assert.ok(result.trainSeconds > interrupted.trainSeconds);
  await assertSameAsUndisturbed('sigterm');
});

test('after kill -9, and with the newest checkpoint torn, the next pod still comes to the very same numbers', async () => {
  const trainer = await place.start(long('kill'));
  await trainer.reaches(110);
  trainer.child.kill('SIGKILL');
  assert.equal((await trainer.ended).signal, 'SIGKILL');
  const folder = outputOf('kill', 'checkpoints', '1');
  const steps = readdirSync(folder).filter(existsStep('kill')).sort();
  const [older, newest] = steps;
  assert.equal(steps.length, 2);
  const torn = join(folder, newest!, 'training.safetensors');
  writeFileSync(torn, readFileSync(torn).subarray(0, -5));
  const ended = await place.run(long('kill'));
  const result = succeeded(ended);
  assert.match(ended.log, /"message":"checkpoint ignored"/);
  assert.equal(result.resumedFromStep, Number(older!.slice('step-'.length)));
  await assertSameAsUndisturbed('kill');
});

test('with every way to train at once, an interrupted run comes to the very same numbers', async () => {
  const everything = (name: string) =>
    configFor(name, ({ training, checkpoints, evaluation }) => {
      const plateau = { factor: 0.5, patience: 0, threshold: 0.05, cooldown: 1, minLearningRate: 1e-5 };
      Object.assign(training, {
        epochs: 10,
        batchSize: 2,
        gradientAccumulationSteps: 2,
        packing: 'BestFitDecreasing',
        maxLength: 32,
        schedule: { name: 'ReduceLROnPlateau', ...plateau },
        optimizer: { name: 'Adafactor' },
        labelSmoothing: 0.1,
        freeze: ['bert.embeddings.position_embeddings'],
        layerwiseLearningRateDecay: 0.9,
        ema: { decay: 0.9 },
      });
      checkpoints.everySteps = 25;
      evaluation.everySteps = 10;
    });
  succeeded(await place.run(everything('all-whole')));
  const trainer = await place.start(everything('all-killed'));
  await trainer.reaches(60);
  trainer.child.kill('SIGKILL');
  await trainer.ended;
  const result = succeeded(await place.run(everything('all-killed')));
  assert.ok(result.resumedFromStep! >= 25);
  const [want, got] = [reportOf('all-whole'), reportOf('all-killed')];
  assert.deepEqual(got.stepLosses, want.stepLosses);
  assert.deepEqual(got.learningRates, want.learningRates);
  assert.ok(new Set(want.learningRates).size > 2, 'the rate was lowered');
  assert.equal(reportDigest('all-killed'), reportDigest('all-whole'));
});

test('with smaller batches and more of them a step, the next pod goes on from the same checkpoint', async () => {
  const trainer = await place.start(long('smaller'));
  await trainer.reaches(60);
  trainer.child.kill('SIGTERM');
  const interrupted = (await trainer.ended).result as ResultOf<'Interrupted'>;
  const smaller = long('smaller');
  Object.assign(smaller.training, { batchSize: 1, gradientAccumulationSteps: 4 });
  const result = succeeded(await place.run(smaller));
  assert.equal(result.resumedFromStep, interrupted.step);
  assert.equal(result.step, 240);
});

test('a pod that dies after training but before its result is final does not train again', async () => {
  await undisturbedReport();
  rmSync(outputOf('undisturbed', 'runs'), { recursive: true });
  const before = reportOf('undisturbed');
  const ended = await place.run(long('undisturbed'));
  const result = succeeded(ended);
  assert.equal(result.resumedFromStep, 240);
  assert.deepEqual(reportOf('undisturbed').final, before.final);
});

test('progress, metrics and health are served while a step is under way', async () => {
  const trainer = await place.start(long('http'));
  const progress = await trainer.reaches(30);
  assert.equal(progress.jobUid, 'http');
  assert.equal(progress.podUid, 'pod-1');
  assert.equal(progress.phase, 'Training');
  assert.equal(progress.totalSteps, 240);
  assert.ok(progress.trainLoss! > 0 && progress.tokensPerSecond! > 0 && progress.etaSeconds! >= 0);
  assert.ok(progress.history.length > 0 && progress.history.length <= 50);
  assert.ok(progress.baseline!.loss! > 0 && progress.baseline!.accuracy! >= 0);
  const address = await trainer.address();
  const metrics = await (await fetch(`${address}/metrics`)).text();
  assert.match(metrics, /^finetune_trainer_loss\{namespace="team-a",job="spam",run="1"\} 0\.\d+$/m);
  assert.match(
    metrics,
    /^finetune_trainer_phase\{phase="Training",namespace="team-a",job="spam",run="1"\} 1$/m,
  );
  assert.match(metrics, /^finetune_trainer_info\{device="CPU",.*\} 1$/m);
  assert.match(metrics, /^process_resident_memory_bytes/m);
  assert.equal((await fetch(`${address}/healthz`)).status, 200);
  assert.equal((await fetch(`${address}/elsewhere`)).status, 404);
  assert.equal((await fetch(`${address}/progress`, { method: 'POST', body: '{}' })).status, 405);
  trainer.child.kill('SIGTERM');
  assert.equal((await trainer.ended).exitCode, 143);
});

test('stopped before there is anything to save, the trainer ends at once', async () => {
  const trainer = await place.start(long('early-stop'));
  await trainer.address();
  trainer.child.kill('SIGTERM');
  const ended = await trainer.ended;
  assert.equal(ended.exitCode, 143, ended.log);
  assert.equal(ended.result.outcome, 'Interrupted');
});
