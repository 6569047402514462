import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
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
  await withLock(directory, async () => {
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

/**
 * Runs `action` while this process alone holds the lock of that name. The lock is a listening socket in Linux'
 * abstract name space: the kernel frees it when its process ends, however that happens.
 */
async function withLock(name: string, action: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32);
  let lock = await listen(`\0finetune-operator-${digest}`);
  while (lock === undefined) {
    if (Date.now() > deadline) throw new Error(`another process has been building ${name} for too long`);
    await sleep(500);
    lock = await listen(`\0finetune-operator-${digest}`);
  }
  try {
    await action();
  } finally {
    lock.close();
  }
}

/** A server on the socket, or undefined while another process has it. */
async function listen(path: string): Promise<Server | undefined> {
  const server = createServer().listen({ path });
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
