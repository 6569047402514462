/** Finds and opens the weights in a model directory: model.safetensors, or its shards through the index file. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { TrainerError } from '../failure.ts';
import { SafetensorsFile, type TensorEntry } from './safetensors.ts';

/** All tensors of a checkpoint, wherever they are stored. */
export type WeightFiles = {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  read(name: string): Float32Array;
  /** The same by a thread of its own; the files must stay open until it is done. */
  readInBackground(name: string): Promise<Float32Array>;
  close(): void;
};

/** Files that belong to the tokenizers of the families; a model has some of them. */
export const tokenizerFiles: readonly string[] = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'sentencepiece.bpe.model',
  'spm.model',
];

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });
const pickled = /\.(bin|pt|pth|ckpt|pkl)$/;

/** Throws TrainerError ModelError when there are no safetensors, or they are damaged or incomplete. */
export function openWeightFiles(directory: string): WeightFiles {
  const single = join(directory, 'model.safetensors');
  if (existsSync(single)) return joined([new SafetensorsFile(single)]);
  const index = join(directory, 'model.safetensors.index.json');
  if (existsSync(index)) return openShards(directory, index);
  const unsafe = readdirSync(directory).find((name) => pickled.test(name));
  throw new TrainerError(
    'ModelError',
    unsafe === undefined
      ? `There is no model.safetensors in ${directory}.`
      : `The model has only ${unsafe}, a Python pickle: reading it could run code, so it is refused.`,
    'Save the model in safetensors format: model.save_pretrained(folder) of a current transformers version does.',
  );
}

function openShards(directory: string, index: string): WeightFiles {
  const parsed = indexSchema.safeParse(readJson(index));
  if (!parsed.success) throw modelError(`${index} has no valid weight_map.`);
  const names = [...new Set(Object.values(parsed.data.weight_map))].sort();
  const files: SafetensorsFile[] = [];
  try {
    for (const name of names) {
      if (name !== basename(name)) throw modelError(`${index} points outside of its folder: '${name}'.`);
      const path = join(directory, name);
      if (!existsSync(path)) throw modelError(`${index} names ${name}, but the file is missing.`);
      files.push(new SafetensorsFile(path));
    }
    return joined(files);
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

function joined(files: readonly SafetensorsFile[]): WeightFiles {
  const owners = new Map<string, SafetensorsFile>();
  const entries = new Map<string, TensorEntry>();
  for (const file of files) {
    for (const [name, entry] of file.entries) {
      owners.set(name, file);
      entries.set(name, entry);
    }
  }
  const ownerOf = (name: string): SafetensorsFile => {
    const owner = owners.get(name);
    if (owner === undefined) throw new Error(`The checkpoint has no tensor '${name}'.`);
    return owner;
  };
  return {
    entries,
    read: (name) => ownerOf(name).read(name),
    readInBackground: async (name) => ownerOf(name).readInBackground(name),
    close() {
      for (const file of files) file.close();
    },
  };
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

/**
 * Keeps numbers such as 2.0 as they are written: JavaScript would write 2 again, and transformers refuses a whole number
 * for a field that is a float.
 */
const floatsAsWritten: Reviver = (_key, value, { source = '' }) => {
  if (typeof value !== 'number' || !Number.isInteger(value) || !/[.e]/i.test(source)) return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source);
};

/** JSON of a model file whose only use is to be written again. Throws like readJson. */
export function readJsonAsWritten(path: string): unknown {
  return readJson(path, floatsAsWritten);
}

/** JSON of a model file. Throws TrainerError ModelError when it is missing or not JSON. */
export function readJson(path: string, reviver?: Reviver): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw modelError(`${path} cannot be read.`, cause);
  }
  try {
    return JSON.parse(text, reviver as Parameters<typeof JSON.parse>[1]);
  } catch (cause) {
    throw modelError(`${path} is not JSON: ${(cause as Error).message}.`, cause);
  }
}

function modelError(message: string, cause?: unknown): TrainerError {
  return new TrainerError('ModelError', message, 'Upload the whole model folder again.', { cause });
}
