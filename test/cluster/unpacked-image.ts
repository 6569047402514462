import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './command.ts';

type ImageConfig = {
  User?: string;
  Entrypoint?: string[];
  Env?: string[];
  Labels?: Record<string, string>;
};

/** An image on disk: its configuration and, below `root`, its files. Remove `directory` after use. */
export type UnpackedImage = { directory: string; root: string; config: ImageConfig };

const timeoutMs = 5 * 60_000;

/** Unpacks the only image of an OCI archive, layer upon layer. */
export async function unpackImage(archive: string): Promise<UnpackedImage> {
  const directory = await mkdtemp(join(tmpdir(), 'finetune-image-'));
  const layout = join(directory, 'layout');
  const root = join(directory, 'root');
  await mkdir(layout);
  await mkdir(root);
  await run('tar', ['-xf', archive, '-C', layout], { timeoutMs });
  const blob = (digest: string) => join(layout, 'blobs', ...digest.split(':'));
  const json = async (file: string) => JSON.parse(await readFile(file, 'utf8'));
  const index = (await json(join(layout, 'index.json'))) as { manifests: { digest: string }[] };
  const manifest = (await json(blob(index.manifests[0]?.digest ?? ''))) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  const { config } = (await json(blob(manifest.config.digest))) as { config: ImageConfig };
  for (const { digest } of manifest.layers) await applyLayer(blob(digest), root);
  await rm(layout, { recursive: true });
  return { directory, root, config };
}

/** A file `.wh.NAME` in a layer says that NAME of the layers below is gone. */
async function applyLayer(layer: string, root: string): Promise<void> {
  const names = (await run('tar', ['-tf', layer], { timeoutMs })).split('\n');
  const gone = names.filter((name) => /(^|\/)\.wh\.[^/]+$/.test(name));
  for (const name of gone) {
    const target = join(root, dirname(name), name.replace(/^(.*\/)?\.wh\./, ''));
    await rm(target, { recursive: true, force: true });
  }
  await run('tar', ['-xf', layer, '-C', root, '--exclude=.wh.*'], { timeoutMs });
}
