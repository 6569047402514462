import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary, ensureBinaries } from './binaries.ts';
import { clusterDirectory } from './cache.ts';
import type { Cluster } from './cluster.ts';
import { run } from './command.ts';
import { startHostS3, stopHostProcesses } from './host-s3.ts';
import { helmFor, kubectlFor } from './kubectl.ts';

type Log = (line: string) => void;

/**
 * Joins the cluster behind a context of the user's kubeconfig. Nothing about the cluster itself is changed; its pods must
 * reach this machine, where the S3 server runs. Images get there by the shell command in FINETUNE_LOAD_IMAGE, which finds
 * $ARCHIVE (an OCI archive) and $REFERENCE; `true` says that they are there already.
 */
export async function joinContext(context: string, name: string, log: Log): Promise<Cluster> {
  const directory = clusterDirectory(name);
  const kubeconfig = join(directory, 'kubeconfig');
  await ensureBinaries(['kubectl', 'helm'], log);
  await mkdir(directory, { recursive: true });
  const view = ['config', 'view', '--minify', '--flatten', '--raw', '--context', context];
  await writeFile(kubeconfig, await run(binary('kubectl'), view), { mode: 0o600 });
  await run(binary('kubectl'), ['--kubeconfig', kubeconfig, 'config', 'use-context', context]);
  const kubectl = kubectlFor(kubeconfig);
  const first = ['get', 'nodes', '--output=jsonpath={.items[0].metadata.name}'];
  return {
    name,
    kubeconfig,
    directory,
    nodeName: await kubectl(first),
    s3: await startHostS3(directory, log),
    kubectl,
    helm: helmFor(kubeconfig),
    loadImage,
    stop: () => leaveContext(name),
  };
}

/** Stops what was started on this machine; the cluster stays as it is. */
export async function leaveContext(name: string): Promise<void> {
  await stopHostProcesses(clusterDirectory(name));
  await rm(clusterDirectory(name), { recursive: true, force: true });
}

async function loadImage(archive: string, reference: string): Promise<void> {
  const command = process.env['FINETUNE_LOAD_IMAGE'];
  if (!command) {
    throw new Error(
      `The cluster needs the image ${reference} from ${archive}. Set FINETUNE_LOAD_IMAGE to the shell command that ` +
        `brings it there, for example 'minikube image load "$ARCHIVE"', or to 'true' when it is there already.`,
    );
  }
  const env = { ...process.env, ARCHIVE: archive, REFERENCE: reference };
  await run('sh', ['-c', command], { env, timeoutMs: 900_000 });
}
