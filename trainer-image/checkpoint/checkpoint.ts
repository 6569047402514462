/**
 * Checkpoints on a local disk. A checkpoint is a directory `checkpoint-<step>` that is complete when its manifest.json
 * is there: that file is written last and holds size and SHA-256 of all others. The directory is made under a
 * temporary name, flushed and renamed, so a crash leaves either nothing or a whole checkpoint.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { TrainerError } from '../failure.ts';
import { SafetensorsFile } from '../model/safetensors.ts';
import { syncDirectory, writeSafetensors } from '../model/safetensors-writer.ts';
import type { NamedTensor } from '../model/tensor.ts';

export const manifestName = 'manifest.json';
const stateName = 'trainer_state.json';
const weightsName = 'model.safetensors';
const optimizerName = 'optimizer.safetensors';
const version = 1;

const manifestSchema = z.strictObject({
  version: z.literal(version),
  step: z.int().min(0),
  files: z.record(
    z.string().regex(/^[\w.-]+$/),
    z.strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});
export type Manifest = z.infer<typeof manifestSchema>;

export type CheckpointContent = {
  readonly step: number;
  readonly weights: Iterable<NamedTensor>;
  readonly optimizer: Iterable<NamedTensor>;
  /** Whatever the recipe needs to go on (JSON). */
  readonly state: unknown;
};

export type Checkpoint = {
  readonly directory: string;
  readonly step: number;
  readonly state: unknown;
  /** Weights and moments; each is read when it is asked for. Valid until `close`. */
  readonly tensors: Iterable<NamedTensor>;
  close(): void;
};

/**
 * Writes `<parent>/checkpoint-<step>`, replacing one of the same step.
 * @returns its directory and the SHA-256 of its manifest, which stands for the whole content
 */
export function writeCheckpoint(
  parent: string,
  content: CheckpointContent,
): { directory: string; digest: string } {
  const directory = join(parent, `checkpoint-${content.step}`);
  const temporary = `${directory}.partial`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const files: Manifest['files'] = {
    [weightsName]: writeSafetensors(join(temporary, weightsName), content.weights),
    [optimizerName]: writeSafetensors(join(temporary, optimizerName), content.optimizer),
    [stateName]: writeDurably(join(temporary, stateName), JSON.stringify(content.state)),
  };
  const manifest: Manifest = { version, step: content.step, files };
  const { sha256 } = writeDurably(join(temporary, manifestName), JSON.stringify(manifest, null, 2));
  syncDirectory(temporary);
  rmSync(directory, { recursive: true, force: true });
  renameSync(temporary, directory);
  syncDirectory(parent);
  return { directory, digest: sha256 };
}

/**
 * Opens a checkpoint after comparing every file with the manifest.
 * Throws TrainerError Internal that says what is missing, cut off or changed.
 */
export function readCheckpoint(directory: string): Checkpoint {
  const manifest = readManifest(directory);
  for (const [name, want] of Object.entries(manifest.files)) verifyFile(join(directory, name), want);
  const state: unknown = JSON.parse(readFileSync(join(directory, stateName), 'utf8'));
  const files = [weightsName, optimizerName].map((name) => new SafetensorsFile(join(directory, name)));
  return {
    directory,
    step: manifest.step,
    state,
    tensors: files.flatMap((file) =>
      [...file.entries].map(([name, { shape }]) => ({
        name,
        shape,
        get data() {
          return file.read(name);
        },
      })),
    ),
    close() {
      for (const file of files) file.close();
    },
  };
}

/** Checks and returns the manifest alone. Throws TrainerError Internal when the checkpoint is not complete. */
export function readManifest(directory: string): Manifest {
  const path = join(directory, manifestName);
  if (!existsSync(path)) throw torn(directory, `it has no ${manifestName}, so it was never finished`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw torn(directory, `${manifestName} is not JSON`, cause);
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success)
    throw torn(directory, `${manifestName} is not valid: ${z.prettifyError(parsed.error)}`);
  for (const name of [weightsName, optimizerName, stateName]) {
    if (parsed.data.files[name] === undefined) throw torn(directory, `${manifestName} does not list ${name}`);
  }
  return parsed.data;
}

/** Directories of finished checkpoints below `parent`, newest (highest step) first. Digests are not compared here. */
export function listCheckpoints(parent: string): string[] {
  if (!existsSync(parent)) return [];
  const steps = readdirSync(parent).flatMap((name) => {
    const step = /^checkpoint-(\d+)$/.exec(name)?.[1];
    return step !== undefined && existsSync(join(parent, name, manifestName)) ? [Number(step)] : [];
  });
  return steps.sort((a, b) => b - a).map((step) => join(parent, `checkpoint-${step}`));
}

/** Deletes all but the `keep` newest finished checkpoints, and what a crash left behind. Returns what is gone. */
export function pruneCheckpoints(parent: string, keep: number): string[] {
  if (!existsSync(parent)) return [];
  const kept = new Set(listCheckpoints(parent).slice(0, keep));
  const gone = readdirSync(parent)
    .filter((name) => /^checkpoint-\d+(\.partial)?$/.test(name))
    .map((name) => join(parent, name))
    .filter((path) => !kept.has(path));
  for (const path of gone) {
    rmSync(join(path, manifestName), { force: true }); // first: half a deletion must not look complete
    rmSync(path, { recursive: true, force: true });
  }
  return gone;
}

function verifyFile(path: string, want: { bytes: number; sha256: string }): void {
  if (!existsSync(path)) throw torn(path, 'the file is missing');
  const { size } = statSync(path);
  if (size !== want.bytes) throw torn(path, `it has ${size} bytes, the manifest says ${want.bytes}`);
  if (fileDigest(path) !== want.sha256)
    throw torn(path, 'its content differs from the digest in the manifest');
}

function fileDigest(path: string): string {
  const digest = createHash('sha256');
  const chunk = new Uint8Array(1 << 20);
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const count = readSync(file, chunk);
      if (count === 0) return digest.digest('hex');
      digest.update(chunk.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
}

function writeDurably(path: string, text: string): { bytes: number; sha256: string } {
  const bytes = Buffer.from(text);
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function torn(path: string, reason: string, cause?: unknown): TrainerError {
  return new TrainerError(
    'Internal',
    `The checkpoint ${path} cannot be used: ${reason}.`,
    'Delete it: the run then resumes from the checkpoint before it, or starts again.',
    { cause },
  );
}
