/** The files in results/. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';

/** Where and when something was measured. */
export function place(): { machine: string; measuredAt: string } {
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model}`,
    measuredAt: new Date().toISOString().slice(0, 10),
  };
}

/**
 * A list of lines: replaces those of the same name, which is what they have under `key`, and keeps the others; gives all.
 */
export async function storeLines<K extends 'case' | 'target', T extends Record<K, string>>(
  file: string,
  lines: readonly T[],
  key: K,
): Promise<T[]> {
  const before = JSON.parse(await readFile(file, 'utf8').catch(() => '[]')) as T[];
  const names = new Set(lines.map((line) => line[key]));
  const all = [...before.filter((line) => !names.has(line[key])), ...lines];
  await storeResult(file, all);
  return all;
}

export async function storeResult(file: string, result: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
}
