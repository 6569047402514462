/** The results as tables in docs/, so that a page cannot say what was not measured. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

type Cell = string | number;

/** The page with this table in place of the one that it has under that name. Throws when it has no place for it. */
export function withTable(text: string, name: string, table: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`no ${begin.trim()} ... ${end}`);
  return `${before}${begin}${table}${end}${after}`;
}

/** @param page its name in docs/ */
export async function writeTable(page: string, name: string, table: string): Promise<void> {
  const file = join(import.meta.dirname, '../docs', page);
  await writeFile(file, withTable(await readFile(file, 'utf8'), name, table));
}

/** A Markdown table. */
export function tableOf(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}
