import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bindingSources, buildTensorflow } from './build.ts';
import type { Log } from './command.ts';
import { requirementsFile } from './wheels.ts';

const LOCK_TIMEOUT_MS = 40 * 60_000;

/**
 * The TensorFlow directory of this machine, CPU variant, built on first use (about 40 s) and kept under
 * `~/.cache/finetune-operator` (`FINETUNE_CACHE` names another place), keyed by all that goes into it.
 * Processes that ask at the same time wait for one build.
 */
export async function tensorflowDirectory(log: Log = console.error): Promise<string> {
  const cache = process.env['FINETUNE_CACHE'] ?? join(homedir(), '.cache', 'finetune-operator');
  const directory = join(cache, `tensorflow-2.21.0-cpu-${await inputsDigest()}`);
  const complete = () => existsSync(join(directory, 'VERSION.json'));
  if (complete()) return directory;
  await mkdir(cache, { recursive: true });
  await withLock(`${directory}.lock`, async () => {
    if (!complete()) await buildTensorflow('cpu', directory, log);
  });
  return directory;
}

/** Twelve hex digits over everything that the built directory depends on, the compiler apart. */
async function inputsDigest(): Promise<string> {
  const digest = createHash('sha256').update(process.arch);
  const binding = (await bindingSources()).directory;
  const sources = (await readdir(binding)).sort().map((name) => join(binding, name));
  const files = [requirementsFile('cpu'), ...sources, join(import.meta.dirname, 'build.ts')];
  for (const file of files) digest.update(await readFile(file));
  return digest.digest('hex').slice(0, 12);
}

/** Runs `action` while this process alone holds the lock file; a lock whose process is gone is taken over. */
async function withLock(file: string, action: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  while (!(await tryLock(file))) {
    const holder = Number(await readFile(file, 'utf8').catch(() => '0'));
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
    else if (Date.now() > deadline) throw new Error(`${file} is held by process ${holder} for too long`);
    else await sleep(500);
  }
  try {
    await action();
  } finally {
    await rm(file, { force: true });
  }
}

async function tryLock(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
