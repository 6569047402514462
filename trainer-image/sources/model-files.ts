import { createHash } from 'node:crypto';
import { TrainerError } from '../failure.ts';
import type { FileEntry, Source } from './source.ts';

/** The file with the weights; preflight reads its header only. */
export const weightsFile = 'model.safetensors';
/** Files beside the weights that the trainer reads or passes on with the tuned model. */
export const smallModelFiles = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.txt',
] as const;

/** The largest tokenizers have about 35 MB. */
const maxSmallFileBytes = 256 * 1024 * 1024;
/** Pieces of the weights that go into the digest: enough to tell any two trainings apart, few enough for a bucket. */
const sampledPieces = 16;
const pieceBytes = 4096;

/** What `downloadFolder` takes of a model: no README, no weights in other formats, nothing in sub-folders. */
export function isModelFile(path: string): boolean {
  return path === weightsFile || isSmallModelFile(path);
}

export function isSmallModelFile(path: string): boolean {
  return smallModelFiles.some((file) => file === path);
}

/**
 * Lists the files of a model and refuses what cannot be trained.
 * @throws TrainerError SourceNotFound for an empty place, ModelError for other formats of weights and missing files.
 */
export async function findModelFiles(source: Source): Promise<FileEntry[]> {
  const entries = await source.list();
  const names = new Set(entries.map((entry) => entry.path));
  if (names.size === 0) {
    throw new TrainerError(
      'SourceNotFound',
      `${source.uri} is empty or does not exist.`,
      'Correct bucket, prefix or path of spec.model, or upload the model.',
    );
  }
  if (!names.has('config.json')) {
    throw new TrainerError(
      'ModelError',
      `${source.uri} has no config.json.`,
      'spec.model must name the folder that holds config.json, model.safetensors and tokenizer.json.',
    );
  }
  if (!names.has(weightsFile)) throw noWeights(source.uri, [...names]);
  return entries.filter((entry) => isModelFile(entry.path));
}

function noWeights(uri: string, names: readonly string[]): TrainerError {
  const found = names.find((name) => /^[^/]*\.(bin|pt|pth|pkl|ckpt)$/.test(name));
  if (found !== undefined) {
    return new TrainerError(
      'ModelError',
      `${uri} has its weights only as ${found}, a Python pickle, which can run any code when it is opened.`,
      'Save the model as safetensors: model.save_pretrained(folder, safe_serialization=True).',
    );
  }
  if (names.some((name) => /^model-\d+-of-\d+\.safetensors$/.test(name))) {
    return new TrainerError(
      'ModelError',
      `${uri} has its weights in several files; they must be in one ${weightsFile}.`,
      'Save the model again with model.save_pretrained(folder, max_shard_size="100GB").',
    );
  }
  return new TrainerError(
    'ModelError',
    `${uri} has no ${weightsFile}.`,
    'Save the model with model.save_pretrained(folder, safe_serialization=True).',
  );
}

/**
 * Digest of a base model, the same for a bucket, a volume and a local copy: SHA-256 over path, size and content of each
 * file. Of the weights, gigabytes perhaps, the content is 16 pieces spread evenly, from the header to the end:
 * training changes every weight, so another set of weights gives another digest, though a single changed byte may not.
 */
export async function modelDigest(source: Source): Promise<string> {
  const hash = createHash('sha256');
  for (const { path, bytes } of await findModelFiles(source)) {
    hash.update(`${path} ${bytes}\n`);
    if (path === weightsFile) {
      for (const [start, length] of sampledRanges(bytes))
        hash.update((await source.readRange(path, start, length)).bytes);
    } else {
      if (bytes > maxSmallFileBytes) throw tooLarge(path, bytes);
      hash.update((await source.readRange(path, 0, bytes)).bytes);
    }
  }
  return `sha256:${hash.digest('hex')}`;
}

function sampledRanges(bytes: number): [number, number][] {
  const last = Math.max(0, bytes - pieceBytes);
  return Array.from({ length: sampledPieces }, (_, index) => [
    Math.floor((last * index) / (sampledPieces - 1)),
    pieceBytes,
  ]);
}

function tooLarge(path: string, bytes: number): TrainerError {
  return new TrainerError(
    'ModelError',
    `${path} has ${bytes} bytes, far more than such a file can need.`,
    'Check that the file is what its name says.',
  );
}
