import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { arch, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './command.ts';

type Descriptor = { mediaType: string; digest: string; size: number };

/** Start command and numeric user:group of an image, as in the OCI image configuration. */
export type ImageConfig = { Entrypoint: string[]; User: string };

// The same files give the same bytes and so the same digest.
const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];

/** Packs the folder `root` as the only layer of an image and writes it as an OCI archive (image-spec 1.0). */
export async function packImage(root: string, config: ImageConfig, archive: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'finetune-image-'));
  try {
    const layer = join(work, 'layer.tar');
    await run('tar', [...reproducible, '-C', root, '-cf', layer, '.']);
    await writeLayout(join(work, 'image'), await readFile(layer), config);
    await mkdir(dirname(archive), { recursive: true });
    const part = `${archive}.${process.pid}.part`;
    await run('tar', [...reproducible, '-C', join(work, 'image'), '-cf', part, '.']);
    await rename(part, archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function writeLayout(directory: string, layer: Buffer, config: ImageConfig): Promise<void> {
  const blobs = join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const put = async (kind: string, content: Buffer): Promise<Descriptor> => {
    const hash = createHash('sha256').update(content).digest('hex');
    await writeFile(join(blobs, hash), content);
    return { mediaType: `application/vnd.oci.image.${kind}`, digest: `sha256:${hash}`, size: content.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const layerBlob = await put('layer.v1.tar', layer);
  const image = {
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [layerBlob.digest] },
  };
  const configBlob = await put('config.v1+json', json(image));
  const manifest = { schemaVersion: 2, config: configBlob, layers: [layerBlob] };
  const manifestBlob = await put('manifest.v1+json', json(manifest));
  await writeFile(join(directory, 'index.json'), json({ schemaVersion: 2, manifests: [manifestBlob] }));
  await writeFile(join(directory, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}
