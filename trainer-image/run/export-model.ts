import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../model/safetensors-writer.ts';
import type { SequenceClassifier } from '../model/sequence-classifier.ts';

const smallModelFiles = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.txt',
];
const weightsFile = 'model.safetensors';

export async function exportModel({
  model,
  modelDirectory,
  directory,
}: {
  model: SequenceClassifier;
  modelDirectory: string;
  directory: string;
}): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const name of smallModelFiles)
    if (existsSync(join(modelDirectory, name)))
      await copyFile(join(modelDirectory, name), join(directory, name));
  const config = {
    ...model.config,
    architectures: [model.className],
    id2label: Object.fromEntries(model.labels.map((l, i) => [i, l])),
    label2id: Object.fromEntries(model.labels.map((l, i) => [l, i])),
  };
  await writeFile(join(directory, 'config.json'), JSON.stringify(config, null, 2));
  writeSafetensors(join(directory, weightsFile), model.weights());
}
