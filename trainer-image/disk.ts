/** Room that a run needs on the work volume of its pod. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TrainerError } from './failure.ts';

const floatBytes = 4;

/** Bytes of the files of the model, of those of the dataset, and of its encoded rows. */
export type InputBytes = { model: number; dataset: number; encoded: number };

/**
 * Most bytes that lie on the work volume of a trainer at once: its inputs, the rows as they are encoded, the best weights,
 * and a checkpoint (or the model that is published, which is smaller) on its way out.
 */
export function trainingDiskBytes(
  inputs: InputBytes,
  { weights, trainedNumbers }: { weights: number; trainedNumbers: number },
): number {
  const best = floatBytes * weights;
  const checkpoint = best + floatBytes * (weights + trainedNumbers);
  return inputs.model + inputs.dataset + inputs.encoded + best + checkpoint;
}

/** Bytes of all files below a folder. */
export async function folderBytes(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const entry of entries)
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

/** @throws TrainerError ConfigError when a run needs more than the work volume has. */
export function refuseSmallVolume(needed: number, volume: number): void {
  if (needed <= volume) return;
  throw new TrainerError(
    'ConfigError',
    `The run needs ${gigabytes(needed)} on the work volume of its pod (model, data, encoded rows, a checkpoint), which has ${gigabytes(volume)}.`,
    'Raise workVolume of the FineTuneRuntime, or give less data.',
  );
}

/** Where a system error says that a disk is full: what was not written, and what to do; undefined for other errors. */
export function fullDisk(error: unknown): TrainerError | undefined {
  const { code, path = 'a file' } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined;
  return new TrainerError(
    'ConfigError',
    `The work volume is full: cannot write ${path} (${code}).`,
    'status.preflight.diskEstimateBytes is the room that the run needs: let the node have as much free, and workVolume of the FineTuneRuntime be no less.',
    { cause: error },
  );
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
