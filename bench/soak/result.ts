/** bench/results/soak.json, and the same as the table in docs/reliability.md. */
import { tableOf } from '../table.ts';
import type { Figure, Growth, Sample } from './verdict.ts';

export type SoakResult = {
  minutes: number;
  seed: number;
  jobsPerSecond: number;
  machine: string;
  measuredAt: string;
  /** Whether all that was to hold did. */
  held: boolean;
  growths: Growth[];
  jobs: { created: number; ends: Record<string, number> };
  /** What was wrong about jobs, at most twenty. */
  problems: string[];
  faults: Record<string, number>;
  passes: number;
  errors: number;
  /** Of one core. */
  cpuShare: number;
  samples: Sample[];
};

const names: Record<Figure, string> = {
  rssMiB: 'resident memory',
  heapMiB: 'heap in use',
  descriptors: 'file descriptors',
  sockets: 'sockets',
  series: 'series of /metrics',
  underWay: 'jobs under way',
};

export function soakTable(result: SoakResult | undefined): string {
  if (result === undefined) return 'Nothing is measured yet.\n';
  const { growths, jobs, faults, passes, errors, minutes, problems } = result;
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const cuts = Object.entries(faults).filter(([name]) => name.startsWith('event'));
  const ofWatches = cuts.reduce((sum, [, count]) => sum + count, 0);
  const ends = Object.entries(jobs.ends).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const rows = growths.map(
    ({ figure, unit, secondQuarter, lastQuarter, bar, highest, perHour, flat }) =>
      [
        names[figure],
        unit,
        secondQuarter,
        `${lastQuarter}${flat ? '' : ' ✖'}`,
        bar,
        highest,
        perHour,
      ] as const,
  );
  return [
    `${minutes} minutes on ${result.machine}, ${result.measuredAt}: ${jobs.created} jobs (`,
    ends.map(([phase, count]) => `${count} ${phase}`).join(', '),
    `), ${total} faults, ${ofWatches} of them in watches that were open; ${passes} passes, ${errors} of them `,
    `ended with an error; ${problems.length} problems; ${result.cpuShare} of a core.\n\n`,
    tableOf(['', 'unit', 'second quarter', 'last quarter', 'at most', 'highest', 'change in an hour'], rows),
  ].join('');
}
