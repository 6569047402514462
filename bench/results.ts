/** The files in results/: a list of lines, each of a case or target. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces the lines of the same name, which is what they have under `key`, and keeps the others; gives all. */
export async function storeLines<K extends 'case' | 'target', T extends Record<K, string>>(
  file: string,
  lines: readonly T[],
  key: K,
): Promise<T[]> {
  const before = JSON.parse(await readFile(file, 'utf8').catch(() => '[]')) as T[];
  const names = new Set(lines.map((line) => line[key]));
  const all = [...before.filter((line) => !names.has(line[key])), ...lines];
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(all, null, 2)}\n`);
  return all;
}
