/** Whether what was sampled stayed flat. Pure. */
import { median } from '../averages.ts';

export type Sample = {
  /** Since the start, in seconds. */
  second: number;
  rssMiB: number;
  heapMiB: number;
  descriptors: number;
  sockets: number;
  /** Lines of /metrics. */
  series: number;
  /** Jobs, batch Jobs and pods that the operator keeps in memory. */
  cached: number;
  /** Jobs that are not gone yet with all that was made for them. */
  underWay: number;
  passes: number;
  /** Passes that ended with an error. */
  errors: number;
  cpuSeconds: number;
};

type Bar = { unit: string; atLeast: number; sawtooth?: boolean };

/**
 * Of each the median of the last quarter is to be at most 1.1 times that of the second quarter, or `atLeast` more. That alone
 * would let 40 % an hour pass, so over the last half it may not grow by more than 20 % an hour, or four times `atLeast`, as far as
 * the growth is no chance.
 */
const bars = {
  rssMiB: { unit: 'MiB', atLeast: 0 },
  // Rises for minutes between two collections, so its slope says little; resident memory shows a leak too.
  heapMiB: { unit: 'MiB', atLeast: 2, sawtooth: true },
  descriptors: { unit: 'open', atLeast: 2 },
  sockets: { unit: 'open', atLeast: 2 },
  series: { unit: 'lines', atLeast: 50 },
  // As many as ever: a machine that cannot keep up with the new jobs says nothing about the others.
  underWay: { unit: 'jobs', atLeast: 20 },
} as const satisfies Partial<Record<keyof Sample, Bar>>;

export type Figure = keyof typeof bars;

export type Growth = {
  figure: Figure;
  unit: string;
  /** Medians. */
  secondQuarter: number;
  lastQuarter: number;
  /** What the last quarter may come to. */
  bar: number;
  highest: number;
  /** Slope of a straight line through the last two thirds (least squares). */
  perHour: number;
  flat: boolean;
};

/** @param samples in the order of time, at least eight. @throws Error on fewer: they would show nothing */
export function growths(samples: readonly Sample[]): Growth[] {
  if (samples.length < 8) throw new Error(`${samples.length} samples are too few to judge`);
  return (Object.keys(bars) as Figure[]).map((figure) => growthOf(figure, samples));
}

function growthOf(figure: Figure, samples: readonly Sample[]): Growth {
  const values = samples.map((sample) => sample[figure]);
  const part = (from: number, to: number) =>
    median(values.slice(Math.floor(values.length * from), Math.floor(values.length * to)));
  const { unit, atLeast, sawtooth = false }: Bar = bars[figure];
  const [secondQuarter, lastQuarter] = [part(0.25, 0.5), part(0.75, 1)];
  const bar = Math.max(1.1 * secondQuarter, secondQuarter + atLeast);
  const lasting = sureGrowth(samples.slice(Math.floor(samples.length / 2)), figure);
  const perHourBar = Math.max(0.2 * secondQuarter, 4 * atLeast);
  return {
    figure,
    unit,
    secondQuarter: rounded(secondQuarter),
    lastQuarter: rounded(lastQuarter),
    bar: rounded(bar),
    highest: rounded(Math.max(...values)),
    perHour: rounded(slope(samples.slice(Math.floor(samples.length / 3)), figure) * 3600),
    flat: lastQuarter <= bar && (sawtooth || lasting <= perHourBar),
  };
}

/** In an hour: the slope less twice its standard error, so in 39 of 40 cases it grew by more. */
function sureGrowth(samples: readonly Sample[], figure: Figure): number {
  const mean = meanOver(samples);
  const each = slope(samples, figure);
  const [time, value] = [mean(({ second }) => second), mean((sample) => sample[figure])];
  const unexplained = mean((sample) => (sample[figure] - value - each * (sample.second - time)) ** 2);
  const error = Math.sqrt(unexplained / (samples.length - 2) / mean(({ second }) => (second - time) ** 2));
  return (each - 2 * error) * 3600;
}

function meanOver(samples: readonly Sample[]) {
  return (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
}

function slope(samples: readonly Sample[], figure: Figure): number {
  const mean = meanOver(samples);
  const [time, value] = [mean(({ second }) => second), mean((sample) => sample[figure])];
  const both = mean((sample) => (sample.second - time) * (sample[figure] - value));
  return both / mean(({ second }) => (second - time) ** 2);
}

/** About `count` of them, evenly spread, the last one among them. */
export function thinned(samples: readonly Sample[], count: number): Sample[] {
  const each = Math.max(1, Math.ceil(samples.length / count));
  return samples.filter((_, i) => (samples.length - 1 - i) % each === 0);
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
