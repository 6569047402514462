/** One fine-tuning run by each side: the trainer's process as its image starts it, and a script with the Hugging Face Trainer. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunConfig } from '../crds/trainer-contract.ts';
import { runConfigOf } from '../test/trainer-image/data/run-config.ts';
import { bundleTrainer } from '../trainer-image/bundle.ts';
import { tensorflowDirectory } from '../trainer-image/tensorflow/directory.ts';
import { measured } from './process.ts';

export type RunSettings = {
  task: 'SequenceClassification' | 'MaskedLM';
  model: string;
  /** Folder with train.jsonl and test.jsonl. */
  data: string;
  maxLength: number;
  batchSize: number;
  epochs: number;
  learningRate: number;
  /** Of our side alone; default false. */
  bf16?: boolean;
  seed: number;
  threads: number;
};

export type RunFigures = {
  /** Tokenisation, training and evaluation, without start and without writing the model. */
  workSeconds: number;
  /** From the start of the process to the end of the first optimiser step. */
  firstStepSeconds: number;
  peakRssBytes: number;
  /** On the test split: macro F1, with MaskedLM the loss of masked tokens. */
  score: number;
};

/** Settings of a task as the operator writes them. */
export function setTask(run: RunConfig, task: RunSettings['task']): void {
  if (task === 'SequenceClassification') return;
  run.task = task;
  run.dataset.columns = { text: 'text' };
  Object.assign(run.training, { packing: 'Wrapped', masking: { probability: 0.15, wholeWord: false } });
}

/** The trainer, bundled as in its image. `directory` is a new folder for this run. */
export async function ourRun(settings: RunSettings, directory: string): Promise<RunFigures> {
  const output = join(directory, 'output');
  await mkdir(join(directory, 'work'), { recursive: true });
  await mkdir(output);
  const config = runConfigOf({ model: settings.model, dataset: settings.data, output }, (run: RunConfig) => {
    const { maxLength, batchSize, epochs, learningRate, seed, bf16 = false } = settings;
    Object.assign(run.training, {
      maxLength,
      batchSize,
      epochs,
      learningRate,
      seed,
      bf16,
      warmup: 0,
      weightDecay: 0,
    });
    setTask(run, settings.task);
    run.evaluation.baseline = false;
    run.checkpoints.everySteps = 1_000_000;
  });
  await writeFile(join(directory, 'run.json'), JSON.stringify(config));
  const env = {
    FINETUNE_RUN_CONFIG: join(directory, 'run.json'),
    FINETUNE_WORK: join(directory, 'work'),
    FINETUNE_TERMINATION_LOG: join(directory, 'termination'),
    FINETUNE_HTTP_PORT: '0',
    FINETUNE_TENSORFLOW: await tensorflowDirectory(),
    TF_NUM_INTRAOP_THREADS: String(settings.threads),
    NODE_ENV: 'production',
  };
  const trainer = join(directory, 'trainer');
  await bundleTrainer(trainer);
  const args = ['--enable-source-maps', join(trainer, 'trainer.mjs'), 'train'];
  const first = new FirstStep();
  const { peakRssBytes } = await measured({ command: process.execPath, args, env }, (output) =>
    first.see(output),
  );
  const report = JSON.parse(await readFile(join(output, 'report', 'report.json'), 'utf8')) as {
    timings: Record<string, number>;
    final: { f1?: number; loss: number };
  };
  const { Preparing = 0, Training = 0, Evaluating = 0 } = report.timings;
  return {
    workSeconds: Preparing + Training + Evaluating,
    firstStepSeconds: first.seconds,
    peakRssBytes,
    score: report.final.f1 ?? report.final.loss,
  };
}

/** Asks the trainer for its progress, once its port is known, until the first step is done. */
class FirstStep {
  readonly #started = performance.now();
  #asking = false;
  seconds = Number.NaN;

  see(output: string): void {
    const port = /"port":(\d+)/.exec(output)?.[1];
    if (port === undefined || this.#asking) return;
    this.#asking = true;
    const timer = setInterval(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/progress`).catch(() => undefined);
      const { step = 0 } = ((await answer?.json().catch(() => ({}))) ?? {}) as { step?: number };
      if (step === 0 || !Number.isNaN(this.seconds)) return;
      this.seconds = (performance.now() - this.#started) / 1000;
      clearInterval(timer);
    }, 50);
    timer.unref();
  }
}

/** How the peer's script puts texts into batches. */
export type Sampling = 'group_by_length' | 'random' | 'group_texts';

const scriptOf = { SequenceClassification: 'epoch.py', MaskedLM: 'masked_lm.py' } as const;

export async function peerRun(
  python: string,
  settings: RunSettings,
  sampling: Sampling,
  directory: string,
): Promise<RunFigures> {
  await mkdir(directory, { recursive: true });
  const { data, ...rest } = settings;
  const script = {
    ...rest,
    sampling,
    train: join(data, 'train.jsonl'),
    test: join(data, 'test.jsonl'),
    output: join(directory, 'output'),
  };
  await writeFile(join(directory, 'settings.json'), JSON.stringify(script));
  const started = Date.now() / 1000;
  const { stdout, peakRssBytes } = await measured({
    command: python,
    args: [join(import.meta.dirname, 'peers', scriptOf[settings.task]), join(directory, 'settings.json')],
    env: { OMP_NUM_THREADS: String(settings.threads), TOKENIZERS_PARALLELISM: 'true' },
  });
  const figures = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    tokenizeSeconds: number;
    trainSeconds: number;
    evaluateSeconds: number;
    firstStepAt: number;
    f1?: number;
    loss: number;
  };
  return {
    workSeconds: figures.tokenizeSeconds + figures.trainSeconds + figures.evaluateSeconds,
    firstStepSeconds: figures.firstStepAt - started,
    peakRssBytes,
    score: figures.f1 ?? figures.loss,
  };
}
