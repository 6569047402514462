import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Folder for everything that outlives a checkout: built binaries, images, cluster state. */
export function cacheDirectory(): string {
  return resolve(process.env['FINETUNE_CACHE'] || join(homedir(), '.cache', 'finetune-operator'));
}

/** Parent of all cluster state folders. */
export function clustersDirectory(): string {
  return join(cacheDirectory(), 'clusters');
}

/** State of one cluster; gone after `down`. The name becomes a path and part of interface names. */
export function clusterDirectory(name: string): string {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name)) {
    throw new Error(`cluster name "${name}": use a lower-case letter, then up to 30 of a-z, 0-9 and "-"`);
  }
  return join(clustersDirectory(), name);
}
