import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch } from '../../../trainer-image/data/batch.ts';
import type { Binding } from '../../../trainer-image/graph/binding.ts';
import { openTrainableModel, type TrainableModel } from '../../../trainer-image/model/trainable-model.ts';
import { adamW } from '../../../trainer-image/optim/adamw.ts';
import type { UpdateOptions } from '../../../trainer-image/optim/update.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';

export const goldenDirectory = join(import.meta.dirname, '../../golden');
export const smallModel = join(goldenDirectory, 'bert-small');

type Step = { loss: number; gradientNorm: number; learningRate: number };
export type Golden = {
  settings: {
    learningRate: number;
    warmupSteps: number;
    totalSteps: number;
    weightDecay: number;
    beta1: number;
    beta2: number;
    epsilon: number;
    maxGradNorm: number;
  };
  batches: Batch[];
  logits: number[][];
  steps: Step[];
};

export function golden(name: 'bert-small' | 'minilm'): Golden {
  const json = JSON.parse(readFileSync(join(goldenDirectory, `${name}.json`), 'utf8'));
  return { ...json, batches: json.batches.map(goldenBatch) };
}

/** A batch of a golden file. */
export function goldenBatch(batch: Record<keyof Batch, never>): Batch {
  return {
    rows: batch.rows,
    length: batch.length,
    inputIds: Int32Array.from(batch.inputIds),
    attentionMask: Int32Array.from(batch.attentionMask),
    tokenTypeIds: Int32Array.from(batch.tokenTypeIds),
    labels: Int32Array.from(batch.labels),
    indices: new Int32Array(batch.rows),
    starts: Int32Array.from({ length: batch.rows }, (_, row) => row * batch.length),
  };
}

/** The optimiser of golden steps. */
export function updateOf({ settings }: Pick<Golden, 'settings'>): UpdateOptions {
  return { optimizer: adamW(settings), maxGradNorm: settings.maxGradNorm, gradientAccumulationSteps: 1 };
}

/** A classifier with the golden settings; the small model unless another directory is given. */
export function openSmall(
  binding: Binding,
  options: {
    directory?: string;
    seed?: number;
    dropout?: number;
    labels?: string[];
    packed?: boolean;
    update?: Partial<UpdateOptions>;
  } = {},
): Promise<TrainableModel> {
  return openTrainableModel({
    binding,
    task: sequenceClassification,
    modelDirectory: options.directory ?? smallModel,
    labels: options.labels ?? ['a', 'b', 'c'],
    seed: options.seed ?? 1,
    dropout: options.dropout,
    packed: options.packed ?? false,
    update: { ...updateOf(golden('bert-small')), ...options.update },
  });
}

/** A copy of the small model that a test may damage; removed when `using` ends. */
export function copyOfSmallModel(): { directory: string; [Symbol.dispose](): void } {
  const directory = mkdtempSync(join(tmpdir(), 'model-'));
  cpSync(smallModel, directory, { recursive: true });
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Changes fields of the config.json in a model directory. */
export function editConfig(directory: string, changes: Record<string, unknown>): void {
  const path = join(directory, 'config.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }));
}
