/** Model folders that a trainer must refuse: a sound one with one thing wrong in each. */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Copies the files of a model folder, without sub-folders. */
function copy(from: string, to: string): string {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (statSync(join(from, name)).isFile()) copyFileSync(join(from, name), join(to, name));
  }
  return to;
}

function editConfig(directory: string, changes: Record<string, unknown>): void {
  const file = join(directory, 'config.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...changes }));
}

/** What is wrong, by the name of the folder. */
export const badModels: Record<string, (directory: string) => void> = {
  'unknown-type': (directory) =>
    editConfig(directory, { model_type: 'frobnicator', architectures: ['Frobnicator'] }),
  'pickle-only': (directory) => {
    rmSync(join(directory, 'model.safetensors'));
    writeFileSync(join(directory, 'pytorch_model.bin'), Buffer.from([0x80, 0x02, 0x7d, 0x2e]));
  },
  'corrupt-header': (directory) => {
    const file = join(directory, 'model.safetensors');
    const bytes = readFileSync(file);
    bytes.fill(0x7b, 8, 40);
    writeFileSync(file, bytes);
  },
  truncated: (directory) => {
    const file = join(directory, 'model.safetensors');
    truncateSync(file, Math.floor(statSync(file).size / 2));
  },
  'small-vocabulary': (directory) => editConfig(directory, { vocab_size: 1000 }),
};

/** Makes the folder `name` from a sound model. */
export function makeBadModel(sound: string, parent: string, name: string): string {
  const directory = copy(sound, join(parent, name));
  badModels[name]!(directory);
  return directory;
}
