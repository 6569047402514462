import { improvement, type MetricName } from '../../crds/tasks.ts';

export const BOOTSTRAP_RESAMPLES = 1000;

export type Gain = { metric: MetricName; value: number; low: number; high: number };

/** A metric on some rows of a split, the same row perhaps several times. */
export type Scorer = (rows: ArrayLike<number>) => number;

/**
 * Gain of the tuned model over the base model with a 95 % interval by the paired bootstrap: rows of the test split
 * are drawn with replacement as often as it has rows, both models are scored on the same draw, and the interval
 * runs from the 2.5th to the 97.5th percentile of 1,000 such differences (Efron and Tibshirani 1993, chapter 13).
 * Positive means better, also where less of the metric is better. The same arguments always give the same interval.
 */
export function bootstrapGain(
  metric: MetricName,
  { base, tuned, rows, seed }: { base: Scorer; tuned: Scorer; rows: number; seed: number },
): Gain {
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  const difference = () => improvement(metric, tuned(order), base(order));
  const value = difference();
  if (rows === 0) return { metric, value, low: value, high: value };
  const random = randomBelow(seed);
  const differences = new Float64Array(BOOTSTRAP_RESAMPLES);
  for (let resample = 0; resample < BOOTSTRAP_RESAMPLES; resample++) {
    for (let i = 0; i < rows; i++) order[i] = random(rows);
    differences[resample] = difference();
  }
  differences.sort();
  return { metric, value, low: percentile(differences, 0.025), high: percentile(differences, 0.975) };
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
