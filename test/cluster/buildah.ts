import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';

const timeoutMs = 30 * 60_000;

/** Runs buildah on storage of its own, so that nothing else on the machine is touched. */
export async function buildah(args: string[]): Promise<string> {
  const storage = join(cacheDirectory(), 'images', 'storage');
  await mkdir(storage, { recursive: true });
  const globals = [
    '--root',
    join(storage, 'root'),
    '--runroot',
    join(storage, 'run'),
    '--storage-driver',
    'overlay',
  ];
  return run('buildah', [...globals, ...args], { timeoutMs });
}
