import { improvement, type MetricName } from '../../crds/tasks.ts';

export const BOOTSTRAP_RESAMPLES = 1000;

/** A value and its 95 % interval. */
export type Estimate = { value: number; low: number; high: number };

export type Gain = Estimate & { metric: MetricName };

/** A metric on some rows of a split, the same row perhaps several times. */
export type Scorer = (rows: ArrayLike<number>) => number;

/**
 * A figure of some rows with its 95 % interval by the bootstrap: as many rows are drawn with replacement, and the
 * interval runs from the 2.5th to the 97.5th percentile of the figure on 1,000 such draws (Efron and Tibshirani 1993,
 * chapter 13). A figure that compares two models on the same draw is paired. The same arguments give the same interval.
 */
export function bootstrap(rows: ArrayLike<number>, seed: number, figureOf: Scorer): Estimate {
  const drawn = Uint32Array.from(rows);
  const value = figureOf(drawn);
  if (rows.length === 0) return { value, low: value, high: value };
  const random = randomBelow(seed);
  const figures = new Float64Array(BOOTSTRAP_RESAMPLES);
  for (let resample = 0; resample < BOOTSTRAP_RESAMPLES; resample++) {
    for (let i = 0; i < drawn.length; i++) drawn[i] = rows[random(rows.length)]!;
    figures[resample] = figureOf(drawn);
  }
  figures.sort();
  return { value, low: percentile(figures, 0.025), high: percentile(figures, 0.975) };
}

/** Gain of the tuned model over the base model on the same rows; positive means better, whichever way the metric runs. */
export function bootstrapGain(
  metric: MetricName,
  { base, tuned, rows, seed }: { base: Scorer; tuned: Scorer; rows: number; seed: number },
): Gain {
  const all = Uint32Array.from({ length: rows }, (_, row) => row);
  return { metric, ...bootstrap(all, seed, (drawn) => improvement(metric, tuned(drawn), base(drawn))) };
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
