import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TrainerError } from '../failure.ts';
import { tokenizerFiles } from '../model/checkpoint-files.ts';
import { forEachAtOnce } from './folder.ts';
import type { FileEntry, Source } from './source.ts';

const weightsFile = 'model.safetensors';
const shardIndex = 'model.safetensors.index.json';
const shard = /^model-\d+-of-\d+\.safetensors$/;
/** Files beside the weights that the trainer reads or passes on with the tuned model. */
const smallFiles: readonly string[] = ['config.json', ...tokenizerFiles];

/** The largest tokenizers have about 35 MB. */
const maxSmallFileBytes = 256 * 1024 * 1024;
/** Pieces of the weights that go into the digest: enough to tell any two trainings apart, few enough for a bucket. */
const sampledPieces = 16;
const pieceBytes = 4096;

/** Weights are one file or several shards with their index among the small files. */
export type ModelFiles = { weights: FileEntry[]; small: FileEntry[] };

/**
 * Lists the files of a model that the trainer uses: no README, no weights in other formats, nothing in sub-folders.
 * @throws TrainerError SourceNotFound for an empty place, ModelError for weights in other formats and missing files.
 */
export async function findModelFiles(source: Source): Promise<ModelFiles> {
  const entries = await source.list();
  const names = entries.map((entry) => entry.path);
  if (names.length === 0) {
    throw new TrainerError(
      'SourceNotFound',
      `${source.uri} is empty or does not exist.`,
      'Correct bucket, prefix or path of spec.model, or upload the model.',
    );
  }
  if (!names.includes('config.json')) {
    throw new TrainerError(
      'ModelError',
      `${source.uri} has no config.json.`,
      'spec.model must name the folder that holds config.json, model.safetensors and tokenizer.json.',
    );
  }
  const single = names.includes(weightsFile);
  if (!single && !names.includes(shardIndex)) throw noWeights(source.uri, names);
  const small = entries.filter(({ path }) => smallFiles.includes(path) || (!single && path === shardIndex));
  const tooLarge = small.find(({ bytes }) => bytes > maxSmallFileBytes);
  if (tooLarge !== undefined) {
    throw new TrainerError(
      'ModelError',
      `${tooLarge.path} has ${tooLarge.bytes} bytes, far more than such a file can need.`,
      'Check that the file is what its name says.',
    );
  }
  return { weights: entries.filter(({ path }) => (single ? path === weightsFile : shard.test(path))), small };
}

function noWeights(uri: string, names: readonly string[]): TrainerError {
  const pickle = names.find((name) => /^[^/]*\.(bin|pt|pth|pkl|ckpt)$/.test(name));
  return new TrainerError(
    'ModelError',
    pickle === undefined
      ? `${uri} has no ${weightsFile}.`
      : `${uri} has its weights only as ${pickle}, a Python pickle: reading it could run code, so it is refused.`,
    'Save the model in safetensors format: model.save_pretrained(folder) of a current transformers version does.',
  );
}

/** Brings the files of a model into `directory`: the small ones as copies, the weights as the source places them. */
export async function fetchModel(
  source: Source,
  { weights, small }: ModelFiles,
  directory: string,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await forEachAtOnce(small, async ({ path }) => {
    await source.download(path, join(directory, path));
  });
  await forEachAtOnce(weights, ({ path }) => source.place(path, join(directory, path)));
}

/**
 * Digest of a base model, the same for a bucket, a volume and a local copy: SHA-256 over path, size and content of each
 * file. Of the weights, gigabytes perhaps, the content is 16 pieces spread evenly from the header to the end: training
 * changes every weight, so another set of weights gives another digest, though a single changed byte may not.
 */
export async function modelDigest(source: Source): Promise<string> {
  const { weights, small } = await findModelFiles(source);
  const hash = createHash('sha256');
  for (const { path, bytes } of small) {
    hash.update(`${path} ${bytes}\n`);
    hash.update((await source.readRange(path, 0, bytes)).bytes);
  }
  for (const { path, bytes } of weights) {
    hash.update(`${path} ${bytes}\n`);
    for (const start of sampledStarts(bytes))
      hash.update((await source.readRange(path, start, pieceBytes)).bytes);
  }
  return `sha256:${hash.digest('hex')}`;
}

function sampledStarts(bytes: number): number[] {
  const last = Math.max(0, bytes - pieceBytes);
  return Array.from({ length: sampledPieces }, (_, index) =>
    Math.floor((last * index) / (sampledPieces - 1)),
  );
}
