/** Builds one target of the project's Dockerfile with buildah, and keeps its storage small. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBaseImage } from './base-image.ts';
import { collectBuildSettings } from './build-settings.ts';
import { buildah } from './buildah.ts';
import { cacheDirectory } from './cache.ts';
import { packOciArchive } from './oci-archive.ts';

const root = join(import.meta.dirname, '..', '..');
const repository = 'localhost/finetune-operator';
/** Ends of unnamed stages that may lie about: a build of both images leaves two, and each keeps up to 1.3 GB alive. */
const mostStages = 8;
const keptImages = 2;
/** Stages that download: what they made outlives the steps of past builds. */
const costlyStages = ['packages', 'tensorflow'];

export type Build = {
  target: string;
  reference: string;
  archive: string;
  log: (line: string) => void;
  /** File that gets buildah's steps while it works. */
  steps: string;
};

/** Builds `target` under `reference` and writes it as an OCI archive. One call at a time: leftovers are removed. */
export async function buildWithBuildah({ target, reference, archive, log, steps }: Build): Promise<void> {
  const images = join(cacheDirectory(), 'images');
  const leftovers = (await readdir(images)).filter((name) => name.startsWith('work-'));
  for (const name of leftovers) await rm(join(images, name), { recursive: true, force: true });
  const work = await mkdtemp(join(images, 'work-'));
  try {
    const settings = await collectBuildSettings(join(work, 'settings'));
    const values = Object.entries({ ...settings.arguments, BASE: await ensureBaseImage(log) });
    const options = [
      '--isolation=chroot',
      '--layers',
      '--pull=false',
      ...values.map(([name, value]) => `--build-arg=${name}${value === undefined ? '' : `=${value}`}`),
      ...settings.volumes.map((volume) => `--volume=${volume}`),
    ];
    await buildah([
      'bud',
      ...options,
      `--target=${target}`,
      `--tag=${reference}`,
      `--logfile=${steps}`,
      root,
    ]);
    await buildah(['push', '--disable-compression', reference, `dir:${join(work, 'image')}`]);
    await packOciArchive(join(work, 'image'), archive);
    await forget(target, options, steps).catch((error: Error) => log(`not tidied up: ${error.message}`));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Keeps what the next build may use. The image is made by then: a failure here is only reported. */
async function forget(target: string, options: readonly string[], steps: string): Promise<void> {
  await forgetOldImages(`${repository}/${target}:`);
  // The trainer has just gone through the stages that download, so that naming them builds nothing.
  if (target === 'trainer') await forgetOldSteps(options, steps);
}

async function forgetOldImages(prefix: string): Promise<void> {
  const format = '{{.CreatedAtRaw}}|{{.Name}}:{{.Tag}}';
  const lines = (await buildah(['images', '--format', format])).trim().split('\n').sort();
  const names = lines.map((line) => line.split('|')[1] ?? '').filter((name) => name.startsWith(prefix));
  const old = names.slice(0, -keptImages);
  if (old.length > 0) await buildah(['rmi', '--force', ...old]);
}

/** Without a name the stages that download would go as well, so they get one first. */
async function forgetOldSteps(options: readonly string[], steps: string): Promise<void> {
  const unnamed = (await buildah(['images', '--quiet', '--filter', 'dangling=true'])).trim().split('\n');
  if (unnamed.length <= mostStages) return;
  for (const stage of costlyStages) {
    const tag = `--tag=${repository}/stage:${stage}`;
    await buildah(['bud', ...options, `--target=${stage}`, tag, `--logfile=${steps}`, root]);
  }
  // A build that was killed leaves its containers, which hold on to their images.
  await buildah(['rm', '--all']);
  await buildah(['rmi', '--prune']);
}
