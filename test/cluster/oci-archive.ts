import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';

const timeoutMs = 10 * 60_000;

/**
 * Makes an OCI archive of an image that buildah wrote with `push IMAGE dir:DIRECTORY`. buildah's own `oci-archive:`
 * always compresses the layers with gzip, which takes several times as long as all the rest; on one machine nothing
 * is gained by it.
 * @param directory holds `manifest.json`, `version` and the blobs; it is used up
 */
export async function packOciArchive(directory: string, archive: string): Promise<void> {
  const layout = `${directory}.layout`;
  await rm(layout, { recursive: true, force: true });
  const blobs = join(layout, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  try {
    const manifest = await readFile(join(directory, 'manifest.json'));
    const { mediaType } = JSON.parse(manifest.toString()) as { mediaType: string };
    const hash = createHash('sha256').update(manifest).digest('hex');
    await writeFile(join(blobs, hash), manifest);
    for (const name of await readdir(directory)) {
      if (/^[0-9a-f]{64}$/.test(name)) await rename(join(directory, name), join(blobs, name));
    }
    const index = {
      schemaVersion: 2,
      manifests: [{ mediaType, digest: `sha256:${hash}`, size: manifest.length }],
    };
    await writeFile(join(layout, 'index.json'), JSON.stringify(index));
    await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await run('tar', ['-C', layout, '-cf', archive, 'oci-layout', 'index.json', 'blobs'], { timeoutMs });
  } finally {
    await rm(layout, { recursive: true, force: true });
    await rm(directory, { recursive: true, force: true });
  }
}
