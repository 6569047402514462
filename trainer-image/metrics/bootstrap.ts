import { averages, emptyCounts } from './classification.ts';

export const BOOTSTRAP_RESAMPLES = 1000;

export type ComparedMetric = 'accuracy' | 'f1' | 'weightedF1';
export type Gain = { metric: ComparedMetric; value: number; low: number; high: number };

/**
 * Gain of the tuned model over the base model with a 95 % interval by the paired bootstrap: rows of the test split
 * are drawn with replacement as often as it has rows, both models are scored on the same draw, and the interval
 * runs from the 2.5th to the 97.5th percentile of 1,000 such differences (Efron and Tibshirani 1993, chapter 13).
 * The same arguments always give the same interval.
 */
export function bootstrapGain(
  metric: ComparedMetric,
  { actual, base, tuned, classes, seed }: BootstrapInput,
): Gain {
  const rows = actual.length;
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  const value = differenceOn(order, metric, { actual, base, tuned, classes });
  if (rows === 0) return { metric, value, low: value, high: value };
  const random = randomBelow(seed);
  const differences = new Float64Array(BOOTSTRAP_RESAMPLES);
  for (let resample = 0; resample < BOOTSTRAP_RESAMPLES; resample++) {
    for (let i = 0; i < rows; i++) order[i] = random(rows);
    differences[resample] = differenceOn(order, metric, { actual, base, tuned, classes });
  }
  differences.sort();
  return { metric, value, low: percentile(differences, 0.025), high: percentile(differences, 0.975) };
}

/** Class ids by row: what is right, what the base model and the tuned model said. */
export type BootstrapInput = {
  actual: ArrayLike<number>;
  base: ArrayLike<number>;
  tuned: ArrayLike<number>;
  classes: number;
  seed: number;
};

function differenceOn(
  rows: Uint32Array,
  metric: ComparedMetric,
  { actual, base, tuned, classes }: Omit<BootstrapInput, 'seed'>,
): number {
  const baseCounts = emptyCounts(classes);
  const tunedCounts = emptyCounts(classes);
  for (const row of rows) {
    const label = actual[row]!;
    for (const [counts, predicted] of [
      [baseCounts, base[row]!],
      [tunedCounts, tuned[row]!],
    ] as const) {
      counts.actual[label]!++;
      counts.predicted[predicted]!++;
      if (predicted === label) counts.hits[label]!++;
    }
  }
  return averages(tunedCounts)[metric] - averages(baseCounts)[metric];
}

/** Linear interpolation between the two nearest ranks, as numpy.percentile does. */
export function percentile(sorted: ArrayLike<number>, fraction: number): number {
  const position = (sorted.length - 1) * fraction;
  const below = Math.floor(position);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (position - below);
}

/** Integers below a bound from mulberry32, a small generator with 2^32 states: plenty for resampling rows. */
function randomBelow(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}
