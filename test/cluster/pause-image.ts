import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';

/** Image of the process that holds a pod's namespaces. */
export const pauseImage = 'finetune.dev/pause:1';

type Descriptor = { mediaType: string; digest: string; size: number };

/** Path of the image as an OCI archive: one static binary, compiled here because no registry need be in reach. */
export async function ensurePauseImage(): Promise<string> {
  const source = join(import.meta.dirname, 'pause', 'pause.c');
  const key = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
    .slice(0, 16);
  const archive = join(cacheDirectory(), 'pause', `pause-${key}.tar`);
  if (existsSync(archive)) return archive;
  const work = await mkdtemp(join(tmpdir(), 'finetune-pause-'));
  try {
    await run('gcc', ['-static', '-Os', '-s', '-o', join(work, 'pause'), source]);
    await run('tar', [...reproducible, '-C', work, '-cf', join(work, 'layer.tar'), 'pause']);
    await writeLayout(join(work, 'image'), await readFile(join(work, 'layer.tar')));
    const part = join(work, 'image.tar');
    await run('tar', [...reproducible, '-C', join(work, 'image'), '-cf', part, '.']);
    await mkdir(join(cacheDirectory(), 'pause'), { recursive: true });
    await run('cp', [part, `${archive}.part`]);
    await rename(`${archive}.part`, archive);
    return archive;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];

/** Writes an OCI image layout (image-spec 1.0) with one layer. */
async function writeLayout(directory: string, layer: Buffer): Promise<void> {
  const blobs = join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const put = async (kind: string, content: Buffer): Promise<Descriptor> => {
    const hash = createHash('sha256').update(content).digest('hex');
    await writeFile(join(blobs, hash), content);
    return { mediaType: `application/vnd.oci.image.${kind}`, digest: `sha256:${hash}`, size: content.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const layerBlob = await put('layer.v1.tar', layer);
  const config = {
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    os: 'linux',
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
    rootfs: { type: 'layers', diff_ids: [layerBlob.digest] },
  };
  const configBlob = await put('config.v1+json', json(config));
  const manifest = { schemaVersion: 2, config: configBlob, layers: [layerBlob] };
  const manifestBlob = await put('manifest.v1+json', json(manifest));
  await writeFile(join(directory, 'index.json'), json({ schemaVersion: 2, manifests: [manifestBlob] }));
  await writeFile(join(directory, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}
