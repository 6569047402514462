/** What stands for many values. */

/** The value that a part of all is not above, 0 to 1: linear between the two nearest ones, as NumPy's quantile by default. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = part * (sorted.length - 1);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const below = at(Math.floor(rank));
  return below + (at(Math.ceil(rank)) - below) * (rank - Math.floor(rank));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
