import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { binaryDirectory } from './binaries.ts';
import { cacheDirectory } from './cache.ts';
import { run } from './command.ts';
import { withLock } from './lock.ts';

/** Debian package -> what shows that it is there: commands looked up on PATH, absolute paths, or a question. */
const wanted: Record<string, string[] | (() => boolean)> = {
  containerd: ['containerd', 'ctr'],
  runc: ['runc'],
  'containernetworking-plugins': ['/usr/lib/cni/ptp', '/usr/lib/cni/host-local'],
  iproute2: ['ip'],
  nftables: ['nft'],
  openssl: ['openssl'],
  buildah: ['buildah'],
  debootstrap: ['debootstrap'],
  'g++': ['gcc', 'g++'],
  'python3-pip': ['python3', 'pip3'],
  'python3-venv': hasVenv,
};

const policyFile = '/usr/sbin/policy-rc.d';

/** Installs the Debian packages that the cluster and the image builds need and the machine lacks. */
export async function ensurePackages(log: (line: string) => void = console.error): Promise<void> {
  if (missingPackages().length === 0) return;
  await withLock(join(cacheDirectory(), 'packages.lock'), log, async () => {
    const missing = missingPackages();
    if (missing.length === 0) return;
    if (!isThere('apt-get') || process.getuid?.() !== 0) {
      throw new Error(
        `needs these Debian packages, and only root on Debian can install them: ${missing.join(' ')}`,
      );
    }
    log(`installing Debian packages: ${missing.join(' ')}`);
    await withoutServiceStarts(() => apt(['install', '--yes', '--no-install-recommends', ...missing], log));
    const still = missingPackages();
    if (still.length > 0)
      throw new Error(`apt-get said it worked, but these are still missing: ${still.join(' ')}`);
  });
}

/**
 * Path of a program from a Debian package that is unpacked into the cache, not installed: no service comes with it.
 * `file` is the program's path in the package. The program must need nothing else from its package.
 */
export async function ensureProgram(
  name: string,
  file: string,
  log: (line: string) => void = console.error,
): Promise<string> {
  const cached = async () => {
    const bin = join(cacheDirectory(), 'bin');
    const directories = (await readdir(bin).catch(() => [])).filter((entry) => entry.startsWith(`${name}-`));
    return directories.map((entry) => join(bin, entry, basename(file))).find((path) => existsSync(path));
  };
  return (
    (await cached()) ??
    withLock(join(cacheDirectory(), 'packages.lock'), log, async () => {
      const meanwhile = await cached();
      if (meanwhile) return meanwhile;
      log(`fetching the Debian package ${name}`);
      return unpack(name, file, log);
    })
  );
}

async function unpack(name: string, file: string, log: (line: string) => void): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'finetune-package-'));
  try {
    await apt(['download', name], log, directory);
    const archive = (await readdir(directory)).find((entry) => entry.endsWith('.deb'));
    if (!archive) throw new Error(`apt-get download ${name} left no package`);
    const version = (await run('dpkg-deb', ['-f', join(directory, archive), 'Version'])).trim();
    await run('dpkg-deb', ['-x', join(directory, archive), join(directory, 'root')]);
    const target = binaryDirectory(name, version.replaceAll(/[^\w.+-]/g, '_'));
    await mkdir(target, { recursive: true });
    // First into the target's file system, then renamed: nobody sees half a program.
    const part = join(target, `${basename(file)}.part`);
    await run('cp', [join(directory, 'root', file), part]);
    await rename(part, join(target, basename(file)));
    return join(target, basename(file));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function missingPackages(): string[] {
  return Object.entries(wanted)
    .filter(([, signs]) => !(typeof signs === 'function' ? signs() : signs.every(isThere)))
    .map(([name]) => name);
}

/** Debian's Python comes without the module that `python3 -m venv` needs; a Python from elsewhere has it. */
function hasVenv(): boolean {
  return spawnSync('python3', ['-c', 'import ensurepip'], { stdio: 'ignore' }).status === 0;
}

function isThere(command: string): boolean {
  if (command.startsWith('/')) return existsSync(command);
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => existsSync(join(directory, command)));
}

/** apt-get with fresh lists and retries: mirrors fail now and then. */
async function apt(args: string[], log: (line: string) => void, cwd?: string): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeoutMs: 900_000, ...(cwd ? { cwd } : {}) };
  const common = [
    '-o',
    'DPkg::Lock::Timeout=300',
    '-o',
    'Acquire::Retries=3',
    '-o',
    'APT::Sandbox::User=root',
  ];
  for (let attempt = 1; ; attempt++) {
    try {
      await run('apt-get', [...common, 'update'], options);
      await run('apt-get', [...common, ...args], options);
      return;
    } catch (error) {
      if (attempt === 3) throw error;
      log(`attempt ${attempt} of 3 failed: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Debian starts a package's services on installation unless this policy file forbids it. */
async function withoutServiceStarts(work: () => Promise<void>): Promise<void> {
  const ours = !existsSync(policyFile);
  if (ours) await writeFile(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await work();
  } finally {
    if (ours) await rm(policyFile, { force: true });
  }
}
