/** The base image: node:24-bookworm-slim where a registry answers, else a stand-in of the same content made here. */
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildah } from './buildah.ts';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';

type Log = (line: string) => void;

const npmVersion = '11.19.1';
const bootstrapTimeoutMs = 15 * 60_000;
const official = 'docker.io/library/node:24-bookworm-slim';
const nodeBinary = join(import.meta.dirname, '..', '..', 'node_modules', 'node', 'bin', 'node');
const defaultMirror = 'http://deb.debian.org/debian';
/** What no program needs at run time; the official slim image leaves it out too. */
const unneeded = [
  'var/cache/apt',
  'var/lib/apt/lists',
  'var/log',
  'usr/share/doc',
  'usr/share/info',
  'usr/share/locale',
  'usr/share/man',
];

/** Reference of a base image in buildah's storage. */
export async function ensureBaseImage(log: Log): Promise<string> {
  const version = (await run(nodeBinary, ['--version'])).trim();
  const recipe = createHash('sha256').update(await readFile(import.meta.filename));
  const standIn = `localhost/finetune-operator/base:node-${version}-bookworm-${recipe.digest('hex').slice(0, 8)}`;
  const images = await buildah(['images', '--format', '{{.Name}}:{{.Tag}}']);
  for (const known of [official, standIn]) if (images.split('\n').includes(known)) return known;
  try {
    await buildah(['pull', '--quiet', official]);
    return official;
  } catch {
    log(`${official} cannot be pulled; making a base of Debian 12 and Node ${version} (about 4 minutes)`);
  }
  const work = await mkdtemp(join(cacheDirectory(), 'base-'));
  try {
    await makeStandIn(work, standIn, log);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return standIn;
}

async function makeStandIn(work: string, reference: string, log: Log): Promise<void> {
  const system = join(work, 'system');
  const sources = await packageSources();
  const began = Date.now();
  const timer = setInterval(() => log(`Debian base: ${Math.round((Date.now() - began) / 1000)} s`), 30_000);
  const options = ['--variant=minbase', '--include=ca-certificates'];
  try {
    await run('debootstrap', [...options, 'bookworm', system, sources.mirror], {
      timeoutMs: bootstrapTimeoutMs,
    });
  } finally {
    clearInterval(timer);
  }
  if (sources.file !== undefined) {
    await rm(join(system, 'etc', 'apt', 'sources.list'), { force: true });
    await cp(sources.file, join(system, sources.file));
  }
  for (const path of unneeded) {
    await rm(join(system, path), { recursive: true, force: true });
    await mkdir(join(system, path), { recursive: true });
  }
  await addNode(work, system);
  await writeFile(join(work, 'Dockerfile'), 'FROM scratch\nCOPY system /\nCMD ["node"]\n');
  await buildah(['bud', '--isolation=chroot', `--tag=${reference}`, work]);
}

/** The locked Node and an npm for the build stages, where the official image has them. */
async function addNode(work: string, system: string): Promise<void> {
  const local = join(system, 'usr', 'local');
  await mkdir(join(local, 'lib', 'node_modules'), { recursive: true });
  await cp(nodeBinary, join(local, 'bin', 'node'));
  await run('npm', ['pack', '--silent', `npm@${npmVersion}`], { cwd: work, timeoutMs: 180_000 });
  const archive = (await readdir(work)).find((name) => name.endsWith('.tgz'));
  if (archive === undefined) throw new Error(`npm pack npm@${npmVersion} left no archive`);
  await run('tar', ['xzf', archive], { cwd: work });
  await cp(join(work, 'package'), join(local, 'lib', 'node_modules', 'npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin', 'npm'));
}

/** Where this machine gets Debian's packages from, security fixes included when it is Debian 12 itself. */
async function packageSources(): Promise<{ mirror: string; file?: string }> {
  for (const file of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const mirror = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(https?:\S+)/m.exec(text)?.[1];
    if (mirror === undefined) continue;
    return /bookworm/.test(text) ? { mirror, file } : { mirror: defaultMirror };
  }
  return { mirror: defaultMirror };
}
