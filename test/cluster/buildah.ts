import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';

const timeoutMs = 30 * 60_000;
/** Steps of past builds that are kept for reuse; looking through them takes time in each build. */
const mostImages = 250;

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

/** Removes all but the `keep` newest images of a repository, and the steps of past builds when they are too many. */
export async function forgetOldImages(repository: string, keep: number): Promise<void> {
  const lines = (await buildah(['images', '--format', '{{.CreatedAtRaw}}\t{{.Name}}:{{.Tag}}'])).split('\n');
  const names = lines
    .filter((line) => line.includes(`\tlocalhost/${repository}:`))
    .sort()
    .map((line) => line.split('\t')[1] as string);
  const old = names.slice(0, Math.max(0, names.length - keep));
  if (old.length > 0) await buildah(['rmi', '--force', ...old]);
  const all = (await buildah(['images', '--all', '--quiet'])).trim().split('\n');
  if (all.length > mostImages) await buildah(['rmi', '--prune']);
}
