/** Writes a trained model in Hugging Face layout: what AutoModelForSequenceClassification.from_pretrained reads. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors } from './safetensors-writer.ts';
import type { NamedTensor } from './tensor.ts';

/** Files that belong to a tokenizer; those that the model has are copied. */
const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
];

export type ExportedModel = {
  readonly modelDirectory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly className: string;
  readonly labels: readonly string[];
  weights(): Iterable<NamedTensor>;
};

/**
 * Fills `directory` (made if missing) with model.safetensors, config.json and the tokenizer's files.
 * @returns size and SHA-256 of model.safetensors
 */
export function exportModel(model: ExportedModel, directory: string): { bytes: number; sha256: string } {
  mkdirSync(directory, { recursive: true });
  const config = JSON.stringify(exportedConfig(model), null, 2);
  writeFileSync(join(directory, 'config.json'), `${config}\n`);
  for (const name of tokenizerFiles) {
    const source = join(model.modelDirectory, name);
    if (existsSync(source)) copyFileSync(source, join(directory, name));
  }
  return writeSafetensors(join(directory, 'model.safetensors'), model.weights());
}

/** The config of the base model, as a classifier with these labels. */
export function exportedConfig({
  config,
  className,
  labels,
}: Pick<ExportedModel, 'config' | 'className' | 'labels'>): Record<string, unknown> {
  // The weights are written as float32, whatever type the base model had; no path of the base model is carried on.
  const { _name_or_path: _path, torch_dtype: _old, num_labels: _count, ...kept } = config;
  return {
    ...kept,
    architectures: [className],
    dtype: 'float32',
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    problem_type: 'single_label_classification',
  };
}
