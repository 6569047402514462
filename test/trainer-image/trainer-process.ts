/** Runs the trainer as its own process on a tiny model and a small dataset, as a pod would. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Progress,
  progress,
  type Result,
  type ResultOf,
  type RunConfig,
  result,
} from '../../crds/trainer-contract.ts';
import { bert } from '../../trainer-image/model/bert.ts';
import { initialWeight } from '../../trainer-image/model/initial-weights.ts';
import { fresh } from '../../trainer-image/model/parameters.ts';
import { writeSafetensors } from '../../trainer-image/model/safetensors-writer.ts';
import type { NamedTensor } from '../../trainer-image/model/tensor.ts';
import type { Report } from '../../trainer-image/report/report.ts';
import { tensorflowDirectory } from '../../trainer-image/tensorflow/directory.ts';
import { runConfigOf } from './data/run-config.ts';
import { tinyConfig, writeTinyModel } from './data/tiny-model.ts';

const main = new URL('../../trainer-image/main.ts', import.meta.url).pathname;

/** Model, data and output of one run; `remove` when done. */
export class Workplace {
  readonly directory = mkdtempSync(join(tmpdir(), 'trainer-'));
  #runs = 0;

  static async create(): Promise<Workplace> {
    const place = new Workplace();
    await writeTinyModel(join(place.directory, 'model'));
    writeLearnableWeights(join(place.directory, 'model', 'model.safetensors'));
    mkdirSync(join(place.directory, 'data'));
    for (const [split, rows] of Object.entries({ train: 48, validation: 16, test: 24 })) {
      place.writeRows(`${split}.jsonl`, rows);
    }
    return place;
  }

  /** Rows that a model can learn to tell apart: the words decide, the letters around them do not. */
  writeRows(file: string, rows: number, label = (row: number) => (row % 2 === 0 ? 'ham' : 'spam')): void {
    const letters = 'abcdefghijklmnopqrstuvwxyz';
    const lines = Array.from({ length: rows }, (_, row) => {
      const filler = Array.from({ length: 1 + ((row * 5) % 7) }, (__, i) => letters[(row * 3 + i * 7) % 26]);
      const words = row % 2 === 0 ? 'meeting at noon lunch' : 'free money cheap now';
      const language = row % 3 === 0 ? 'de' : 'en';
      const text = `${file.length} ${filler.join(' ')} ${words}`;
      return JSON.stringify({ text, label: label(row), language });
    });
    writeFileSync(join(this.directory, 'data', file), `${lines.join('\n')}\n`);
  }

  config(change: (config: RunConfig) => void = () => {}): RunConfig {
    const at = (name: string) => join(this.directory, name);
    const folders = { model: at('model'), dataset: at('data'), output: this.newOutput('default') };
    return runConfigOf(folders, (config) => {
      config.dataset.splits.validation = 'validation.jsonl';
      config.training.learningRate = 0.03;
      config.training.dropout = 0.02;
      config.training.epochs = 3;
      config.evaluation.everySteps = 5;
      config.checkpoints.everySteps = 4;
      change(config);
    });
  }

  /** A config with an output folder of its own, and a job of that name. */
  configFor(name: string, change: (config: RunConfig) => void = () => {}): RunConfig {
    return this.config((config) => {
      config.job.uid = name;
      config.output = { kind: 'volume', uri: `pvc://out/${name}`, directory: this.newOutput(name) };
      change(config);
    });
  }

  outputOf(name: string, ...path: string[]): string {
    return join(this.directory, 'outputs', name, ...path);
  }

  reportOf(name: string): Report {
    return JSON.parse(readFileSync(this.outputOf(name, 'report', 'report.json'), 'utf8')) as Report;
  }

  /** Starts the trainer with an empty work directory, as a fresh pod has. */
  async start(config: RunConfig, command: 'train' | 'preflight' = 'train'): Promise<TrainerProcess> {
    const directory = join(this.directory, `pod-${++this.#runs}`);
    mkdirSync(join(directory, 'work'), { recursive: true });
    writeFileSync(join(directory, 'run.json'), JSON.stringify(config));
    return TrainerProcess.start(directory, command);
  }

  /** Runs the trainer to its end. */
  async run(config: RunConfig, command: 'train' | 'preflight' = 'train'): Promise<Ended> {
    return (await this.start(config, command)).ended;
  }

  newOutput(name: string): string {
    const directory = join(this.directory, 'outputs', name);
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Random weights as a fresh BERT has them, so that a few steps teach it something. */
function writeLearnableWeights(file: string): void {
  const { parameters, heads } = bert(tinyConfig, { labels: 2 });
  const pooler = heads.SequenceClassification.parameters.filter(({ name }) => name.startsWith('bert.'));
  const weights = fresh([...parameters, ...pooler]).map((spec): NamedTensor => {
    return { name: spec.name, shape: spec.shape, data: initialWeight(spec, 1, 0.3) };
  });
  writeSafetensors(file, weights);
}

export type Ended = { exitCode: number | null; signal: string | null; result: Result; log: string };

export class TrainerProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #log = '';

  private constructor(directory: string, child: ChildProcess) {
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => {
      child.on('close', (exitCode, signal) => {
        const file = join(directory, 'termination');
        const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
        const message = text === '' ? undefined : result.parse(JSON.parse(text));
        resolve({ exitCode, signal, result: message as Result, log: this.#log });
      });
    });
  }

  static async start(directory: string, command: string): Promise<TrainerProcess> {
    const env = {
      ...process.env,
      FINETUNE_RUN_CONFIG: join(directory, 'run.json'),
      FINETUNE_WORK: join(directory, 'work'),
      FINETUNE_TERMINATION_LOG: join(directory, 'termination'),
      FINETUNE_HTTP_PORT: '0',
      FINETUNE_TENSORFLOW: await tensorflowDirectory(),
      POD_UID: 'pod-1',
    };
    return new TrainerProcess(directory, spawn(process.execPath, [main, command], { env }));
  }

  /** Address of the HTTP server, once it listens. */
  async address(): Promise<string> {
    const port = await this.until(() => /"port":(\d+)/.exec(this.#log)?.[1]);
    return `http://127.0.0.1:${port}`;
  }

  async progress(): Promise<Progress> {
    const response = await fetch(`${await this.address()}/progress`);
    return progress.parse(await response.json());
  }

  /** Waits until training has done `step` steps. */
  async reaches(step: number): Promise<Progress> {
    return this.until(async () => {
      const now = await this.progress().catch(() => undefined);
      return now !== undefined && now.step >= step ? now : undefined;
    });
  }

  async until<T>(check: () => T | undefined | Promise<T | undefined>): Promise<T> {
    for (const deadline = Date.now() + 180_000; ; ) {
      const value = await check();
      if (value !== undefined) return value;
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`trainer ended:\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The result of a run that ended well. */
export function succeeded(ended: Ended): ResultOf<'Succeeded'> {
  assert.equal(ended.exitCode, 0, ended.log);
  assert.equal(ended.result.outcome, 'Succeeded');
  return ended.result as ResultOf<'Succeeded'>;
}
