import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBinaries } from './binaries.ts';
import { clusterDirectory } from './cache.ts';
import type { Cluster } from './cluster.ts';
import { run } from './command.ts';
import { startHostS3, stopHostProcesses } from './host-s3.ts';
import { ImageStore } from './image-store.ts';
import { helmFor, kubectlFor } from './kubectl.ts';
import { advertiseGpus } from './node.ts';

type Log = (line: string) => void;

/** Whether a Docker engine answers and kind is installed. */
export async function kindAnswers(): Promise<boolean> {
  const works = (command: string, args: string[]) =>
    run(command, args, { timeoutMs: 10_000 }).then(
      () => true,
      () => false,
    );
  return (await works('kind', ['version'])) && (await works('docker', ['info']));
}

/** Starts a kind cluster of one node, or joins it when it is there. */
export async function startKind(name: string, log: Log): Promise<Cluster> {
  const directory = clusterDirectory(name);
  const kubeconfig = join(directory, 'kubeconfig');
  const kindName = kindNameOf(name);
  await mkdir(directory, { recursive: true });
  await ensureBinaries(['kubectl', 'helm'], log);
  const existing = (await run('kind', ['get', 'clusters'])).split('\n');
  if (!existing.includes(kindName)) {
    log(`creating the kind cluster ${kindName}`);
    const create = ['create', 'cluster', '--name', kindName, '--wait', '120s'];
    await run('kind', [...create, '--kubeconfig', kubeconfig], { timeoutMs: 600_000 });
  }
  await run('kind', ['export', 'kubeconfig', '--name', kindName, '--kubeconfig', kubeconfig]);
  const kubectl = kubectlFor(kubeconfig);
  const nodeName = `${kindName}-control-plane`;
  await advertiseGpus(kubectl, nodeName);
  const images = imagesOf(nodeName, directory);
  return {
    name,
    kubeconfig,
    directory,
    nodeName,
    s3: await startHostS3(directory, log),
    kubectl,
    helm: helmFor(kubeconfig),
    loadImage: (archive, reference) => images.load(archive, reference),
    stop: () => stopKind(name),
  };
}

/** Deletes a kind cluster and what was started for it. */
export async function stopKind(name: string): Promise<void> {
  await stopHostProcesses(clusterDirectory(name));
  await run('kind', ['delete', 'cluster', '--name', kindNameOf(name)], { timeoutMs: 120_000 });
  await rm(clusterDirectory(name), { recursive: true, force: true });
}

function kindNameOf(name: string): string {
  return `finetune-${name}`;
}

/** The node is a container with a containerd of its own, so its `ctr` runs there, on a copy of the archive. */
function imagesOf(container: string, directory: string): ImageStore {
  const inside = ['exec', container, 'ctr', '--namespace', 'k8s.io'];
  return new ImageStore((args, timeoutMs = 30_000) => run('docker', [...inside, ...args], { timeoutMs }), {
    directory,
    snapshotter: 'overlayfs',
    withArchive: async (archive, work) => {
      const copy = '/root/finetune-image.tar';
      await run('docker', ['cp', archive, `${container}:${copy}`], { timeoutMs: 600_000 });
      await work(copy);
      await run('docker', ['exec', container, 'rm', copy]);
    },
  });
}
