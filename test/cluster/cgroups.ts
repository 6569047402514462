import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Name of the control group, in every hierarchy, under which all pods of a cluster live. */
export function cgroupOf(cluster: string): string {
  return `/finetune-${cluster}`;
}

// What kubelet and runc account and limit with.
const podControllers = ['cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids'];

/** Mount points of the control-group hierarchies: one per controller in version 1, a single one in version 2, or both. */
function hierarchies(): { directory: string; unified: boolean }[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields[2] === 'cgroup' || fields[2] === 'cgroup2')
    .map((fields) => ({ directory: fields[1]!, unified: fields[2] === 'cgroup2' }));
}

/** Makes the cluster's control group. */
export function createCgroup(cluster: string): void {
  for (const { directory, unified } of hierarchies()) {
    mkdirSync(join(directory, cgroupOf(cluster)), { recursive: true });
    if (!unified) continue;
    // In the unified hierarchy a group has only those controllers that its parent hands down.
    const available = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').split(/\s+/);
    for (const controller of podControllers.filter((wanted) => available.includes(wanted))) {
      for (const group of [directory, join(directory, cgroupOf(cluster))]) {
        writeFileSync(join(group, 'cgroup.subtree_control'), `+${controller}`);
      }
    }
  }
}

/**
 * Makes a group below that of the cluster, for processes that together may use so much memory.
 * @returns the file that takes their ids. @throws Error where no hierarchy limits memory
 */
export function createMemoryCgroup(cluster: string, bytes: number): string {
  createCgroup(cluster);
  for (const { directory } of hierarchies()) {
    const group = join(directory, cgroupOf(cluster), 'memory');
    mkdirSync(group, { recursive: true });
    const files = ['memory.max', 'memory.limit_in_bytes'].map((name) => join(group, name));
    const file = files.find(existsSync);
    if (file === undefined) continue;
    writeFileSync(file, String(bytes));
    return join(group, 'cgroup.procs');
  }
  throw new Error('no control group of this machine limits memory');
}

/** Removes the cluster's control group and all below it, once its processes have ended. */
export async function removeCgroup(cluster: string): Promise<void> {
  for (const { directory } of hierarchies()) {
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
