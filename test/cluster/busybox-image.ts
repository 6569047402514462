import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';
import { packImage } from './oci-image.ts';
import { ensureProgram } from './packages.ts';

/** A small image with a shell, for tests that need a pod but none of the project's images. */
export const busyboxImage = 'finetune.dev/busybox:1';

/** Path of the image as an OCI archive. */
export async function ensureBusyboxImage(): Promise<string> {
  const program = await ensureProgram('busybox-static', 'bin/busybox');
  const archive = join(cacheDirectory(), 'images', `${basename(dirname(program))}.tar`);
  if (existsSync(archive)) return archive;
  const root = await mkdtemp(join(tmpdir(), 'finetune-busybox-'));
  try {
    await mkdir(join(root, 'bin'));
    await mkdir(join(root, 'tmp'));
    await cp(program, join(root, 'bin', 'busybox'));
    for (const name of ['sh', 'cat', 'echo', 'sleep', 'wget', 'nc', 'httpd', 'dd', 'id']) {
      await symlink('busybox', join(root, 'bin', name));
    }
    await run('chmod', ['-R', 'a+rX', root]);
    await run('chmod', ['1777', join(root, 'tmp')]);
    await packImage(root, { Entrypoint: ['/bin/sh'], User: '65534:65534' }, archive);
    return archive;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
