/** Exponential back-off with jitter. */

export type Backoff = { baseMs: number; capMs: number };

/**
 * Wait before the next try: base, 2 base, 4 base ... at most cap, of which the upper half is random, so that many
 * clients that failed together do not come back together.
 * @param failures failures in a row, 1 after the first; 0 = no wait
 * @param atLeastMs what the server asked for (Retry-After)
 * @param random from [0, 1)
 */
export function backoffMs(
  failures: number,
  { baseMs, capMs }: Backoff,
  random: number,
  atLeastMs = 0,
): number {
  if (failures <= 0) return atLeastMs;
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.max(atLeastMs, full * (0.5 + random / 2));
}
