/** Builds the images of the project from its Dockerfile: with Docker where an engine answers, else with buildah. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensureBaseImage } from './base-image.ts';
import { buildah } from './buildah.ts';
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

/** What each image is made of; the digest over these names the image. */
const inputs: Record<Target, string[]> = {
  operator: [
    'Dockerfile',
    '.dockerignore',
    'package-lock.json',
    'trainer-image/bundle.ts',
    'crds',
    'operator',
  ],
  trainer: ['Dockerfile', '.dockerignore', 'package-lock.json', 'crds', 'trainer-image'],
};

/** Builds what changed since the last time; gives an OCI archive and a reference that names its content. */
export async function buildImages(log: Log = console.error): Promise<Record<Target, BuiltImage>> {
  return withLock(join(cacheDirectory(), 'images.lock'), log, async () => ({
    operator: await buildImage('operator', log),
    trainer: await buildImage('trainer', log),
  }));
}

async function buildImage(target: Target, log: Log): Promise<BuiltImage> {
  const digest = await digestOf(inputs[target]);
  const directory = join(cacheDirectory(), 'images', target);
  const archive = join(directory, `${digest}.tar`);
  const reference = `finetune-operator/${target}:${digest}`;
  if (existsSync(archive)) return { reference, archive, digest };
  await mkdir(directory, { recursive: true });
  await ensurePackages(log);
  const began = Date.now();
  const builder = await chooseBuilder();
  log(`building the image ${reference} with ${builder}`);
  await withProgress(log, `image of the ${target}`, async () => {
    if (builder === 'docker') await buildWithDocker(target, reference, `${archive}.part`);
    else await buildWithBuildah(target, reference, `${archive}.part`, log);
  });
  await rename(`${archive}.part`, archive);
  await prune(directory);
  const megabytes = Math.round((await stat(archive)).size / 1e6);
  log(`image of the ${target}: ${megabytes} MB, ${Math.round((Date.now() - began) / 1000)} s`);
  return { reference, archive, digest };
}

/** Twelve hex digits over the names and contents of all files. */
async function digestOf(paths: readonly string[]): Promise<string> {
  const digest = createHash('sha256').update(process.arch);
  for (const path of paths) {
    for (const file of await filesUnder(path)) {
      digest.update(file).update(await readFile(join(root, file)));
    }
  }
  return digest.digest('hex').slice(0, 12);
}

async function filesUnder(path: string): Promise<string[]> {
  if ((await stat(join(root, path))).isFile()) return [path];
  const entries = await readdir(join(root, path), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

async function chooseBuilder(): Promise<'docker' | 'buildah'> {
  const answer = await run('docker', ['info', '--format', '{{.ServerVersion}}'], {
    allowFailure: true,
  }).catch(() => '');
  return /^\d/.test(answer.trim()) ? 'docker' : 'buildah';
}

async function buildWithDocker(target: Target, reference: string, archive: string): Promise<void> {
  const args = ['build', '--target', target, '--tag', reference, root];
  await run('docker', args, { timeoutMs: buildTimeoutMs });
  await run('docker', ['save', '--output', archive, reference], { timeoutMs: buildTimeoutMs });
}

async function buildWithBuildah(target: Target, reference: string, archive: string, log: Log): Promise<void> {
  const base = await ensureBaseImage(log);
  const build = [
    'bud',
    '--isolation=chroot',
    '--layers',
    '--pull=false',
    `--target=${target}`,
    `--build-arg=BASE=${base}`,
    `--tag=${reference}`,
    ...hostSettings(),
    root,
  ];
  await buildah(build);
  await rm(archive, { force: true });
  await buildah(['push', '--disable-compression', reference, `oci-archive:${archive}:${reference}`]);
}

/**
 * The machine's certificates and package settings, mounted into the build and never part of an image: a network that
 * inspects TLS, or serves packages from a mirror, works as it does for the machine itself.
 */
export function hostSettings(): string[] {
  const files: Record<string, string> = {
    '/etc/ssl/certs': '/etc/ssl/certs',
    '/usr/local/share/ca-certificates': '/usr/local/share/ca-certificates',
    '/usr/share/ca-certificates': '/usr/share/ca-certificates',
    '/etc/pip.conf': '/etc/pip.conf',
    [join(homedir(), '.config/pip')]: '/root/.config/pip',
    [join(homedir(), '.npmrc')]: '/root/.npmrc',
  };
  const variables = Object.keys(process.env).filter((name) =>
    /^(https?_proxy|no_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|REQUESTS_CA_BUNDLE|PIP_(INDEX_URL|CERT|TRUSTED_HOST|DEFAULT_TIMEOUT))$/i.test(
      name,
    ),
  );
  return [
    ...Object.entries(files)
      .filter(([host]) => existsSync(host))
      .map(([host, inside]) => `--volume=${host}:${inside}:ro`),
    // As build arguments they reach each RUN step and stay out of the image's own environment.
    ...variables.map((name) => `--build-arg=${name}=${process.env[name]}`),
  ];
}

async function withProgress<T>(log: Log, what: string, work: () => Promise<T>): Promise<T> {
  const began = Date.now();
  const timer = setInterval(() => log(`${what}: ${Math.round((Date.now() - began) / 1000)} s`), 20_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
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
