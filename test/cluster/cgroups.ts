import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Name of the control group, in every hierarchy, under which all pods of a cluster live. */
export function cgroupOf(cluster: string): string {
  return `/finetune-${cluster}`;
}

type Hierarchies = { unified: boolean; directories: string[] };

function hierarchies(): Hierarchies {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields[1]?.startsWith('/sys/fs/cgroup'));
  const legacy = mounts.filter((fields) => fields[2] === 'cgroup').map((fields) => fields[1]!);
  if (legacy.length > 0) return { unified: false, directories: legacy };
  return { unified: true, directories: ['/sys/fs/cgroup'] };
}

/** Makes the cluster's control group. */
export function createCgroup(cluster: string): void {
  const { unified, directories } = hierarchies();
  for (const directory of directories) {
    mkdirSync(join(directory, cgroupOf(cluster)), { recursive: true });
    if (!unified) continue;
    // In the unified hierarchy a group has only those controllers that its parent hands down.
    const controllers = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').trim().split(' ');
    const enable = controllers.map((controller) => `+${controller}`).join(' ');
    for (const group of [directory, join(directory, cgroupOf(cluster))]) {
      writeFileSync(join(group, 'cgroup.subtree_control'), enable);
    }
  }
}

/** Removes the cluster's control group and all below it, once its processes have ended. */
export async function removeCgroup(cluster: string): Promise<void> {
  for (const directory of hierarchies().directories) {
    const top = join(directory, cgroupOf(cluster));
    // A process that has just been killed leaves its group a moment later.
    for (let attempt = 0; existsSync(top); attempt++) {
      try {
        removeTree(top);
      } catch (error) {
        if (attempt === 100) throw error;
        await sleep(50);
      }
    }
  }
}

/** Control groups hold files that cannot be unlinked: only the folders are removed, innermost first. */
function removeTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  }
  rmdirSync(directory);
}
