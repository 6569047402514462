import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';
import { packImage } from './oci-image.ts';

/** Image of the process that holds a pod's namespaces. */
export const pauseImage = 'finetune.dev/pause:1';

/** Path of the image as an OCI archive: one static binary, compiled here because no registry need be in reach. */
export async function ensurePauseImage(): Promise<string> {
  const source = join(import.meta.dirname, 'pause', 'pause.c');
  const digest = createHash('sha256').update(await readFile(source));
  const archive = join(cacheDirectory(), 'images', `pause-${digest.digest('hex').slice(0, 16)}.tar`);
  if (existsSync(archive)) return archive;
  const root = await mkdtemp(join(tmpdir(), 'finetune-pause-'));
  try {
    await run('gcc', ['-static', '-Os', '-s', '-o', join(root, 'pause'), source]);
    // mkdtemp's folder is closed to others, and its mode becomes that of the image's root.
    await run('chmod', ['755', root]);
    await packImage(root, { Entrypoint: ['/pause'], User: '65535:65535' }, archive);
    return archive;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
