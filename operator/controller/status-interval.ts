/** With many jobs the status of each tells details more rarely, but never later than this many times the interval for few. */
const mostIntervals = 6;

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
