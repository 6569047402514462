/** The files in results/: a list of lines, each of a case. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces the lines of the same cases and keeps the others; gives all. */
export async function storeLines<T extends { case: string }>(
  file: string,
  lines: readonly T[],
): Promise<T[]> {
  const before = JSON.parse(await readFile(file, 'utf8').catch(() => '[]')) as T[];
  const names = new Set(lines.map((line) => line.case));
  const all = [...before.filter((line) => !names.has(line.case)), ...lines];
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(all, null, 2)}\n`);
  return all;
}
