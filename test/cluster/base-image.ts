/** The base image: node:24-bookworm-slim where a registry answers, else a stand-in of the same content made here. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildah } from './buildah.ts';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';

const npmVersion = '11.19.1';
const bootstrapTimeoutMs = 15 * 60_000;
const official = 'docker.io/library/node:24-bookworm-slim';
const nodeBinary = join(import.meta.dirname, '..', '..', 'node_modules', 'node', 'bin', 'node');

/** Reference of a base image in buildah's storage. */
export async function ensureBaseImage(log: (line: string) => void): Promise<string> {
  const version = (await run(nodeBinary, ['--version'])).trim();
  const standIn = `localhost/finetune-operator/base:node-${version}-bookworm`;
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

async function makeStandIn(work: string, reference: string, log: (line: string) => void): Promise<void> {
  const system = join(work, 'system');
  const timer = setInterval(() => log('Debian base: still at work'), 30_000);
  try {
    await run(
      'debootstrap',
      ['--variant=minbase', '--include=ca-certificates', 'bookworm', system, await mirror()],
      {
        timeoutMs: bootstrapTimeoutMs,
      },
    );
  } finally {
    clearInterval(timer);
  }
  await rm(join(system, 'var', 'cache', 'apt', 'archives'), { recursive: true, force: true });
  await mkdir(join(system, 'usr', 'local', 'lib', 'node_modules'), { recursive: true });
  await cp(nodeBinary, join(system, 'usr', 'local', 'bin', 'node'));
  await run('npm', ['pack', '--silent', `npm@${npmVersion}`], { cwd: work, timeoutMs: 180_000 });
  const archive = (await readdir(work)).find((name) => name.endsWith('.tgz'))!;
  await run('tar', ['xzf', archive], { cwd: work });
  await cp(join(work, 'package'), join(system, 'usr', 'local', 'lib', 'node_modules', 'npm'), {
    recursive: true,
  });
  await writeFile(
    join(work, 'Dockerfile'),
    'FROM scratch\nCOPY system /\nRUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm\nCMD ["node"]\n',
  );
  await buildah(['bud', '--isolation=chroot', `--tag=${reference}`, work]);
}

/** The mirror that this machine installs from. */
async function mirror(): Promise<string> {
  for (const file of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const found = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(https?:\S+)/m.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return '';
}
