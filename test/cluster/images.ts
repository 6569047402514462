/** Builds the images of the project from its Dockerfile: with Docker where an engine answers, else with buildah. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Build, buildWithBuildah } from './buildah-build.ts';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';
import { withLock } from './lock.ts';
import { ensurePackages } from './packages.ts';

export type BuiltImage = { reference: string; archive: string; digest: string };
type Log = (line: string) => void;
type Target = 'operator' | 'trainer';

const root = join(import.meta.dirname, '..', '..');
const buildTimeoutMs = 30 * 60_000;
const keptArchives = 2;
const attempts = 3;

/** What each image is made of; the digest over these names the image. */
const common = ['Dockerfile', '.dockerignore', 'package.json', 'package-lock.json', 'crds'];
const inputs: Record<Target, string[]> = {
  operator: [...common, 'operator', 'trainer-image/bundle.ts'],
  trainer: [...common, 'trainer-image'],
};

/**
 * Builds what changed since the last time (nothing: below a second; a source file: about half a minute; all: about
 * six minutes, and four more for a base image where none can be pulled).
 * @returns for each image a reference that names its content, its OCI archive and the digest of what it is made of
 */
export async function buildImages(log: Log = console.error): Promise<Record<Target, BuiltImage>> {
  const images = { operator: await describeImage('operator'), trainer: await describeImage('trainer') };
  if (existsSync(images.operator.archive) && existsSync(images.trainer.archive)) return images;
  return withLock(join(cacheDirectory(), 'images.lock'), log, async () => ({
    operator: await buildImage('operator', log),
    trainer: await buildImage('trainer', log),
  }));
}

/** The image that the sources of this moment make, built or not. */
async function describeImage(target: Target): Promise<BuiltImage> {
  const digest = await digestOf(inputs[target]);
  const archive = join(cacheDirectory(), 'images', target, `${digest}.tar`);
  return { reference: `finetune-operator/${target}:${digest}`, archive, digest };
}

async function buildImage(target: Target, log: Log): Promise<BuiltImage> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const image = await describeImage(target);
    if (existsSync(image.archive)) return image;
    const part = `${image.archive}.part`;
    await mkdir(dirname(part), { recursive: true });
    await build({ target, reference: image.reference, archive: part, log });
    if ((await describeImage(target)).digest === image.digest) {
      await rename(part, image.archive);
      await prune(dirname(part));
      return image;
    }
    await rm(part);
    log(`a source of the ${target} image changed during the build; building it again`);
  }
  throw new Error(`the sources of the ${target} image changed during each of ${attempts} builds`);
}

async function build(wanted: Omit<Build, 'steps'>): Promise<void> {
  const { target, reference, archive, log } = wanted;
  await ensurePackages(log);
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  const builder = await chooseBuilder();
  log(`building the image ${reference} with ${builder}`);
  const steps = `${archive}.log`;
  const timer = setInterval(
    async () => log(`image of the ${target}: ${seconds()} s, ${await lastStep(steps)}`),
    20_000,
  );
  try {
    if (builder === 'docker') await buildWithDocker(wanted);
    else await buildWithBuildah({ ...wanted, steps });
  } finally {
    clearInterval(timer);
    await rm(steps, { force: true });
  }
  const megabytes = Math.round((await stat(archive)).size / 1e6);
  log(`image of the ${target}: ${megabytes} MB, ${seconds()} s`);
}

async function lastStep(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  return lines.findLast((line) => line.includes('STEP '))?.trim() ?? 'getting ready';
}

/** Twelve hex digits over the names and contents of all files. */
async function digestOf(paths: readonly string[]): Promise<string> {
  const digest = createHash('sha256').update(process.arch);
  for (const path of paths) {
    for (const file of await filesUnder(path)) {
      const content = await readFile(join(root, file));
      digest.update(`${file}\n${content.length}\n`).update(content);
    }
  }
  return digest.digest('hex').slice(0, 12);
}

async function filesUnder(path: string): Promise<string[]> {
  if ((await stat(join(root, path))).isFile()) return [path];
  const entries = await readdir(join(root, path), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

async function chooseBuilder(): Promise<'docker' | 'buildah'> {
  const answer = await run('docker', ['info', '--format', '{{.ServerVersion}}'], {
    allowFailure: true,
  }).catch(() => '');
  return /^\d/.test(answer.trim()) ? 'docker' : 'buildah';
}

async function buildWithDocker({ target, reference, archive }: Omit<Build, 'steps'>): Promise<void> {
  const args = ['build', '--target', target, '--tag', reference, root];
  await run('docker', args, { timeoutMs: buildTimeoutMs });
  await run('docker', ['save', '--output', archive, reference], { timeoutMs: buildTimeoutMs });
}

async function prune(directory: string): Promise<void> {
  const archives = await Promise.all(
    (await readdir(directory))
      .filter((name) => name.endsWith('.tar'))
      .map(async (name) => ({ name, time: (await stat(join(directory, name))).mtimeMs })),
  );
  archives.sort((a, b) => b.time - a.time);
  for (const { name } of archives.slice(keptArchives)) await rm(join(directory, name));
}
