import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointRecord } from '../../crds/trainer-contract.ts';
import { writeSafetensors } from '../model/safetensors-writer.ts';
import type { TrainableModel } from '../model/trainable-model.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { Context } from './context.ts';
import { bestMetric } from './early-stopping.ts';
import type { RunState } from './state.ts';
import { withTensors } from './tensor-file.ts';

const stateFile = 'state.json';
const trainingFile = 'training.safetensors';
const bestFile = 'best.safetensors';

/** Puts model and run state into checkpoints and back; also keeps the best weights on the local disk. */
export class Checkpoints {
  readonly #context: Context;
  readonly #store: CheckpointStore;
  readonly #model: TrainableModel;
  readonly #folder: string;
  readonly #best: string;
  #savedStep = 0;
  /** Step of the checkpoint that this attempt started from. */
  resumedFromStep: number | undefined;

  constructor(context: Context, store: CheckpointStore, model: TrainableModel) {
    this.#context = context;
    this.#store = store;
    this.#model = model;
    this.#folder = join(context.workDirectory, 'checkpoint');
    this.#best = join(context.workDirectory, bestFile);
  }

  records(): CheckpointRecord[] {
    return this.#store.records();
  }

  /** Loads the newest whole checkpoint of this run into the model. */
  async resume(): Promise<RunState | undefined> {
    const step = await this.#store.downloadNewest(this.#folder);
    if (step === undefined) return undefined;
    const state = JSON.parse(await readFile(join(this.#folder, stateFile), 'utf8')) as RunState;
    withTensors(join(this.#folder, trainingFile), (tensors) => this.#model.restore(tensors));
    if (existsSync(join(this.#folder, bestFile))) await copyFile(join(this.#folder, bestFile), this.#best);
    else if (state.best.step === state.step) this.keepBest();
    await rm(this.#folder, { recursive: true });
    this.#savedStep = step;
    this.resumedFromStep = step;
    this.#context.report({ resumedFromStep: step, checkpoints: this.records() });
    this.#context.log.info('resumed', { step, uri: this.records()[0]?.uri });
    return state;
  }

  /** Saves the state of a run, unless the checkpoint of its step is the newest one already. */
  async save(state: RunState): Promise<void> {
    if (state.step === 0 || state.step === this.#savedStep) return;
    const started = performance.now();
    await rm(this.#folder, { recursive: true, force: true });
    await mkdir(this.#folder, { recursive: true });
    const text = JSON.stringify(state);
    await writeFile(join(this.#folder, stateFile), text);
    const tensors = [...this.#model.weights(), ...this.#model.optimizerState()];
    const files = [
      { path: stateFile, bytes: Buffer.byteLength(text), sha256: sha256(text) },
      { path: trainingFile, ...writeSafetensors(join(this.#folder, trainingFile), tensors) },
    ];
    if (state.best.step !== undefined && state.best.step !== state.step) {
      const best = join(this.#folder, bestFile);
      files.push({
        path: bestFile,
        ...withTensors(this.#best, (weights) => writeSafetensors(best, weights)),
      });
    }
    const metric = this.#metricOf(state);
    await this.#store.upload(this.#folder, { step: state.step, files, ...(metric && { metric }) });
    await rm(this.#folder, { recursive: true });
    this.#savedStep = state.step;
    this.#context.report({ checkpoints: this.records() });
    const seconds = (performance.now() - started) / 1000;
    this.#context.log.info('checkpoint saved', { step: state.step, uri: this.records()[0]?.uri, seconds });
  }

  /** How good the model was when it was last evaluated. */
  #metricOf({ validation }: RunState): CheckpointRecord['metric'] {
    const name = bestMetric(this.#context.config);
    const value = validation.at(-1)?.[name];
    return value === undefined ? undefined : { name, value };
  }

  /** Remembers the weights of this moment as the best ones. */
  keepBest(): void {
    writeSafetensors(this.#best, this.#model.evaluatedWeights());
  }

  /** Puts the best weights back into the model. */
  restoreBest(): void {
    withTensors(this.#best, (weights) => this.#model.restore(weights));
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
