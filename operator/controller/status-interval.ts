/**
 * With many jobs the status of each tells details more rarely, but never later than this many times the interval for few: by
 * default five minutes, which six thousand jobs come to.
 */
const mostIntervals = 30;

/**
 * Milliseconds between two writes that tell a detail or the progress of one job. Each costs the API server as much as
 * ten writes of another kind, so what all jobs together ask for is bounded.
 * @param leastMs the interval while there are few jobs
 * @param perSecond writes of all jobs together
 * @param jobs those that have such details to tell
 */
export function statusIntervalMs(leastMs: number, perSecond: number, jobs: number): number {
  return Math.min(Math.max(leastMs, (jobs / perSecond) * 1000), leastMs * mostIntervals);
}

/** People wait for a step no longer than this while workers are free. */
const longestStepMs = 20_000;

/**
 * Milliseconds for which a step of a stage (its pod is there, its container runs) waits for the next one, or for the end of
 * the stage, that one write tells both: none while jobs are few, then as much as their details wait longer than they would alone.
 */
export function stepDelayMs(longerMs: number): number {
  return Math.min(longerMs, longestStepMs);
}
