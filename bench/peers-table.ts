/** The results of npm run bench:train as the table in docs/performance.md. */
import { tableOf } from './table.ts';

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

export function peersTable(lines: readonly Line[]): string {
  if (lines.length === 0) return 'Nothing is measured yet.\n';
  const range = ([low, high]: [number, number]): string => `${low} to ${high}`;
  return tableOf(
    ['case', 'ours', 'peer', 'unit', 'ours / peer', 'peer is', 'machine, day'],
    lines.map(({ ours, peer, spread, ratio, unit, peerName, machine, measuredAt, case: name }) => [
      `\`${name}\``,
      `${ours} (${range(spread.ours)})`,
      `${peer} (${range(spread.peer)})`,
      unit,
      ratio,
      peerName,
      `${machine}, ${measuredAt}`,
    ]),
  );
}
