import { parseArgs } from 'node:util';
import { clusterDirectory } from './cache.ts';
import { embeddedNames, embeddedStatus, removeImages } from './embedded-stop.ts';
import type { Kubectl } from './kubectl.ts';
import type { S3Server } from './s3.ts';
import { startTarget, stopTarget } from './target.ts';

export { type ControlPlane, startControlPlane } from './control-plane.ts';
export { type Prometheus, startPrometheus } from './prometheus.ts';
export { stopTarget as stopCluster } from './target.ts';
export type { S3Server };

/** A running cluster, whatever kind it is. */
export type Cluster = {
  name: string;
  kubeconfig: string;
  directory: string;
  nodeName: string;
  /** Its endpoint is reachable from the host and from pods. */
  s3: S3Server;
  /** Returns stdout; throws with stderr. */
  kubectl: Kubectl;
  helm(args: string[], options?: { timeoutMs?: number }): Promise<string>;
  /** Makes an OCI archive's image available to pods. Skipped when the very same image is there already. */
  loadImage(archive: string, reference: string): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Starts the cluster `name`, or joins it when it runs: the one behind FINETUNE_KUBE_CONTEXT, kind, or the embedded cluster,
 * as target.ts chooses.
 */
export function startCluster(name: string, log: (line: string) => void = console.error): Promise<Cluster> {
  return startTarget(name, log);
}

const usage = `usage: npm run cluster -- <command> [--name NAME]   (NAME is "demo" unless given)
  up                        start the cluster, or say where it runs
  down [--images]           stop it and remove all of it; the loaded images stay for the next time unless --images
  status                    list the embedded clusters and what of them is not running
  kubeconfig                print the path of its kubeconfig
  load ARCHIVE REFERENCE    load an image from an OCI archive`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { name: { type: 'string', default: 'demo' }, images: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const { name } = values;
  const [command, archive, reference] = positionals;
  // "down test" must not take down another cluster than the one that was meant.
  const wanted = command === 'load' ? 3 : 1;
  if (positionals.length !== wanted) {
    console.error(usage);
    process.exitCode = 2;
  } else if (command === 'up') {
    const { kubeconfig, s3 } = await startCluster(name);
    console.log(`Kubernetes: export KUBECONFIG=${kubeconfig}`);
    console.log(`S3: ${s3.endpoint}, folder ${s3.directory}`);
  } else if (command === 'down') {
    await stopTarget(name);
    if (values.images) await removeImages(name);
    console.log(`cluster ${name} is down`);
  } else if (command === 'status') {
    for (const each of await embeddedNames()) {
      const parts = await embeddedStatus(each);
      const ended = parts.filter(({ running }) => !running).map(({ process }) => process);
      const state = ended.length === 0 ? 'running' : `not running: ${ended.join(', ')}`;
      console.log(`${each}\t${state}\t${clusterDirectory(each)}`);
    }
  } else if (command === 'kubeconfig') {
    console.log(`${clusterDirectory(name)}/kubeconfig`);
  } else if (command === 'load' && archive && reference) {
    await (await startCluster(name)).loadImage(archive, reference);
  } else {
    console.error(usage);
    process.exitCode = 2;
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
