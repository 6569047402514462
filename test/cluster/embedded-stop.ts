import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { addressesOf, slotOf } from './addresses.ts';
import { cacheDirectory, clusterDirectory, clustersDirectory } from './cache.ts';
import { removeCgroup } from './cgroups.ts';
import { Containerd, imageDirectory } from './containerd.ts';
import { disconnectNode, restoreHost } from './host.ts';
import { withLock } from './lock.ts';
import { Namespaces } from './namespaces.ts';
import { ProcessTable, stopProcess } from './processes.ts';

/** Processes of a cluster that is up, in the order of their start. */
export const embeddedProcesses = [
  'containerd',
  'etcd',
  's3',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
];

/** Takes a cluster down and removes all of it but the loaded images. Does nothing when there is no such cluster. */
export async function stopEmbedded(name: string): Promise<void> {
  const directory = clusterDirectory(name);
  if (!existsSync(directory)) return;
  await withLock(
    lockOf(name),
    () => {},
    async () => {
      const namespaces = new Namespaces(directory);
      const prometheus = await new ProcessTable(join(directory, 'processes')).read('prometheus');
      if (prometheus) await stopProcess(prometheus, 5000);
      if ((await namespaces.pid()) !== undefined) await emptyRuntime(name, directory, namespaces);
      await namespaces.destroy();
      const slot = slotOf(directory);
      if (slot !== undefined) await disconnectNode(addressesOf(slot));
      await removeCgroup(name);
      await withLock(
        join(clustersDirectory(), '.lock'),
        () => {},
        async () => {
          await rm(directory, { recursive: true, force: true });
          if ((await embeddedNames()).length === 0) restoreHost();
        },
      );
    },
  );
}

/** Names of the embedded clusters that are up or left half-way. */
export async function embeddedNames(): Promise<string[]> {
  const entries = await readdir(clustersDirectory()).catch(() => []);
  return entries.filter((name) => slotOf(join(clustersDirectory(), name)) !== undefined);
}

/** Which of a cluster's processes are running. */
export async function embeddedStatus(name: string): Promise<{ process: string; running: boolean }[]> {
  const namespaces = new Namespaces(clusterDirectory(name));
  return Promise.all(
    embeddedProcesses.map(async (process) => ({ process, running: await namespaces.isRunning(process) })),
  );
}

/** Deletes the loaded images of a cluster too. */
export async function removeImages(name: string): Promise<void> {
  await rm(imageDirectory(name), { recursive: true, force: true });
}

/** Best effort: containers that stay behind are only forgotten by the next kubelet instead of now. */
async function emptyRuntime(name: string, directory: string, namespaces: Namespaces): Promise<void> {
  try {
    await namespaces.stop('kubelet', 10_000);
    await new Containerd(name, directory, namespaces).removeContainers();
    await namespaces.stop('containerd', 10_000);
  } catch {
    // A broken runtime must not keep the rest from being taken down.
  }
}

/** Lock of whoever starts or stops this cluster. */
export function lockOf(name: string): string {
  return join(cacheDirectory(), 'clusters', `.${name}.lock`);
}
