import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, runCommand } from '../../trainer-image/tensorflow/command.ts';
import { cacheDirectory } from '../cluster/cache.ts';
import { run } from '../cluster/command.ts';
import { withLock } from '../cluster/lock.ts';

const attempts = 3;
const requirements = join(import.meta.dirname, 'requirements.txt');

/**
 * Path of a Python that has the packages of requirements.txt. Installed on first use into a virtual environment in
 * the cache (3 minutes, 5 GB); a stamp file with the digest of the list says that it is complete.
 */
export async function pythonPeers(log: Log = console.error): Promise<string> {
  const directory = join(cacheDirectory(), 'python-peers');
  const python = join(directory, 'bin', 'python');
  const stamp = join(directory, 'requirements.sha256');
  const digest = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const ready = async (): Promise<boolean> =>
    existsSync(python) && (await readFile(stamp, 'utf8').catch(() => '')) === digest;
  if (await ready()) return python;
  await mkdir(cacheDirectory(), { recursive: true });
  return withLock(`${directory}.lock`, log, async () => {
    if (await ready()) return python;
    if (!(existsSync(python) && (await hasPackages(python)))) await install(directory, python, log);
    await writeFile(stamp, digest);
    return python;
  });
}

/** True if every pinned package is there in exactly that version. */
async function hasPackages(python: string): Promise<boolean> {
  const pins = (await readFile(requirements, 'utf8')).split('\n').filter((line) => line.includes('=='));
  const installed = await run(python, ['-m', 'pip', 'freeze']).catch(() => '');
  const lines = new Set(installed.split('\n').map((line) => line.trim()));
  return pins.every((pin) => lines.has(pin.trim()));
}

async function install(directory: string, python: string, log: Log): Promise<void> {
  log('installing PyTorch and Transformers for comparison (3 minutes, 5 GB)');
  for (let attempt = 1; ; attempt++) {
    try {
      await rm(directory, { recursive: true, force: true });
      await runCommand('python3', ['-m', 'venv', directory], {
        what: 'python3 -m venv',
        timeoutMs: 120_000,
        log,
      });
      const pip = ['-m', 'pip', 'install', '--progress-bar', 'off', '--disable-pip-version-check'];
      const options = { what: 'pip install', timeoutMs: 30 * 60_000, log };
      await runCommand(python, [...pip, '--requirement', requirements], options);
      return;
    } catch (error) {
      if (attempt === attempts) {
        const hint = 'python3 with venv and pip is needed (Debian: python3-venv, python3-pip)';
        throw new Error(`The Python packages cannot be installed: ${hint}.`, { cause: error });
      }
      log(`attempt ${attempt} of ${attempts} failed: ${(error as Error).message}`);
      await sleep(attempt * 5000);
    }
  }
}
