/** Order of resource versions. */

/**
 * Whether `version` is at least as new as `than`. Versions are decimal numbers that only grow on every API server that
 * stores in etcd; where they are anything else, only equal ones compare.
 */
export function isAtLeast(version: string | undefined, than: string | undefined): boolean {
  if (version === undefined || than === undefined) return false;
  if (version === than) return true;
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return false;
  return BigInt(version) >= BigInt(than);
}
