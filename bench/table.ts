/** The results as a table in docs/performance.md, so that the page cannot say what was not measured. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Line = {
  case: string;
  ours: number;
  peer: number;
  peerName: string;
  ratio: number;
  unit: string;
  repeats: number;
  /** Lowest and highest of the repetitions. */
  spread: { ours: [number, number]; peer: [number, number] };
  /** The score with each seed, where the figure is one; `ours` and `peer` are their means then. */
  bySeed?: { seeds: number[]; ours: number[]; peer: number[] };
  machine: string;
  measuredAt: string;
};

const page = join(import.meta.dirname, '../docs/performance.md');
const [begin, end] = ['<!-- results -->\n', '<!-- end of results -->'];

/** The page with this table in place of the one that it has. Throws when it has no place for it. */
export function withTable(text: string, lines: readonly Line[]): string {
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`no ${begin.trim()} ... ${end}`);
  return `${before}${begin}${table(lines)}${end}${after}`;
}

export async function writeTable(lines: readonly Line[]): Promise<void> {
  await writeFile(page, withTable(await readFile(page, 'utf8'), lines));
}

function table(lines: readonly Line[]): string {
  if (lines.length === 0) return 'Nothing is measured yet.\n';
  const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;
  const range = ([low, high]: [number, number]): string => `${low} to ${high}`;
  const head = ['case', 'ours', 'peer', 'unit', 'ours / peer', 'peer is', 'machine, day'];
  return [
    row(head),
    row(head.map(() => '---')),
    ...lines.map(({ ours, peer, spread, ratio, unit, peerName, machine, measuredAt, case: name }) =>
      row([
        `\`${name}\``,
        `${ours} (${range(spread.ours)})`,
        `${peer} (${range(spread.peer)})`,
        unit,
        ratio,
        peerName,
        `${machine}, ${measuredAt}`,
      ]),
    ),
  ].join('');
}
