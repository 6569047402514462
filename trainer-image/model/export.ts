/** Writes a trained model in Hugging Face layout: what from_pretrained of the task's class reads. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from '../tasks/task.ts';
import { tokenizerFiles } from './checkpoint-files.ts';
import { writeSafetensors } from './safetensors-writer.ts';
import type { TrainableModel } from './trainable-model.ts';

const configFile = 'config.json';
const weightsFile = 'model.safetensors';

/** All names that an export may have; which tokenizer files there are depends on the base model. */
export const exportedFiles: readonly string[] = [configFile, weightsFile, ...tokenizerFiles];

/**
 * Fills `directory` (made if missing) with model.safetensors, config.json and the tokenizer's files from
 * `modelDirectory`. Returns size and SHA-256 of model.safetensors.
 */
export async function exportModel({
  model,
  task,
  modelDirectory,
  directory,
}: {
  task: Pick<Task, 'exportedConfig'>;
  model: Pick<TrainableModel, 'config' | 'className' | 'labels' | 'evaluatedWeights'>;
  modelDirectory: string;
  directory: string;
}): Promise<{ bytes: number; sha256: string }> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, configFile), `${JSON.stringify(exportedConfig(model, task), null, 2)}\n`);
  for (const name of tokenizerFiles) {
    const source = join(modelDirectory, name);
    if (existsSync(source)) await copyFile(source, join(directory, name));
  }
  return writeSafetensors(join(directory, weightsFile), model.evaluatedWeights());
}

/** The config of the base model, with what the task and its labels add. */
export function exportedConfig(
  { config, className, labels }: Pick<TrainableModel, 'config' | 'className' | 'labels'>,
  task: Pick<Task, 'exportedConfig'>,
): Record<string, unknown> {
  // The path of the base model says nothing elsewhere, and a label count beside id2label could contradict it.
  const { _name_or_path: _path, torch_dtype: _type, num_labels: _count, ...kept } = config;
  return {
    ...kept,
    architectures: [className],
    dtype: 'float32', // the type of the written weights, whatever the base model had
    ...task.exportedConfig(labels),
  };
}
