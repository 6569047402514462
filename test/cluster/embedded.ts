import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Addresses, addressesOf, freeSlot, slotOf } from './addresses.ts';
import { binary, ensureBinaries, type Tool } from './binaries.ts';
import { clusterDirectory, clustersDirectory } from './cache.ts';
import { Certificates } from './certificates.ts';
import { createCgroup } from './cgroups.ts';
import { Containerd } from './containerd.ts';
import {
  apiServerArguments,
  controlPlaneIdentities,
  etcdArguments,
  waitForApiServer,
} from './control-plane.ts';
import { embeddedProcesses, lockOf, stopEmbedded } from './embedded-stop.ts';
import { connectNode, disconnectNode, saveHostSettings } from './host.ts';
import { directEnvironment, helmFor, type Kubectl, kubectlFor } from './kubectl.ts';
import { withLock } from './lock.ts';
import { Namespaces } from './namespaces.ts';
import { nodeIdentities, startNode } from './node.ts';
import { ensurePackages } from './packages.ts';
import { ensurePauseImage, pauseImage } from './pause-image.ts';
import { prepareS3, type S3Server, s3Command, waitForS3 } from './s3.ts';
import { waitFor } from './wait.ts';

type Log = (line: string) => void;

/** What a cluster is made of and spoken to with; benchmarks build more for themselves. */
export const clusterTools: readonly Tool[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
  'versitygw',
  'helm',
];

/** A one-node Kubernetes cluster made of the real programs, in kernel namespaces of its own. */
export class EmbeddedCluster {
  readonly name: string;
  readonly directory: string;
  readonly nodeName: string;
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  readonly helm: ReturnType<typeof helmFor>;
  readonly s3: S3Server;
  readonly #addresses: Addresses;
  readonly #namespaces: Namespaces;
  readonly #containerd: Containerd;

  private constructor(name: string, addresses: Addresses, s3: S3Server) {
    this.name = name;
    this.directory = clusterDirectory(name);
    this.nodeName = `${name}-node`;
    this.kubeconfig = join(this.directory, 'kubeconfig');
    this.kubectl = kubectlFor(this.kubeconfig);
    this.helm = helmFor(this.kubeconfig);
    this.s3 = s3;
    this.#addresses = addresses;
    this.#namespaces = new Namespaces(this.directory);
    this.#containerd = new Containerd(name, this.directory, this.#namespaces);
  }

  /** Brings the cluster up. One that runs is left alone; one of which a part has ended is started again with its data. */
  static async start(name: string, log: Log): Promise<EmbeddedCluster> {
    if (process.getuid?.() !== 0)
      throw new Error('the embedded cluster needs root: run this command with sudo');
    await ensurePackages(log);
    await ensureBinaries(clusterTools, log);
    const directory = clusterDirectory(name);
    await mkdir(directory, { recursive: true });
    return withLock(lockOf(name), log, async () => {
      const addresses = addressesOf(await reserveSlot(directory, log));
      const cluster = new EmbeddedCluster(name, addresses, await prepareS3(directory, addresses.node));
      const broken = await cluster.#brokenPart();
      if (broken === undefined) return cluster;
      if (broken !== 'node') log(`${broken} of cluster ${name} is not running: starting the node again`);
      await cluster.#up(log);
      return cluster;
    });
  }

  loadImage(archive: string, reference: string): Promise<void> {
    return this.#containerd.load(archive, reference);
  }

  stop(): Promise<void> {
    return stopEmbedded(this.name);
  }

  async #brokenPart(): Promise<string | undefined> {
    if ((await this.#namespaces.pid()) === undefined) return 'node';
    for (const process of embeddedProcesses) {
      if (!(await this.#namespaces.isRunning(process))) return process;
    }
    const alive = await this.kubectl(['get', '--raw', '/readyz'], { timeoutMs: 10_000 }).catch(
      () => undefined,
    );
    return alive === undefined ? 'kube-apiserver' : undefined;
  }

  async #up(log: Log): Promise<void> {
    const started = Date.now();
    await this.#namespaces.destroy();
    await disconnectNode(this.#addresses);
    createCgroup(this.name);
    await connectNode(this.#addresses, await this.#namespaces.create());
    await Promise.all([this.#startRuntime(), this.#startControlPlane(), this.#startS3()]);
    log(`control plane ready after ${elapsed(started)}`);
    await startNode({
      cluster: this.name,
      nodeName: this.nodeName,
      directory: this.directory,
      addresses: this.#addresses,
      namespaces: this.#namespaces,
      certificates: this.#certificates(),
      kubectl: this.kubectl,
    });
    const account = ['get', 'serviceaccount', 'default', '--namespace=default'];
    await waitFor('service account default', () => this.kubectl(account), {
      timeoutMs: 30_000,
      logFile: this.#namespaces.logFile('kube-controller-manager'),
    });
    log(`cluster ${this.name} ready after ${elapsed(started)}`);
  }

  #certificates(): Certificates {
    return new Certificates(join(this.directory, 'pki'));
  }

  async #startRuntime(): Promise<void> {
    await this.#containerd.start(this.#addresses.podCidr);
    await this.#containerd.load(await ensurePauseImage(), pauseImage);
  }

  async #startS3(): Promise<void> {
    const { args, env } = s3Command(this.s3);
    await this.#namespaces.start('s3', binary('versitygw'), args, env);
    await waitForS3(this.s3, this.#namespaces.logFile('s3'), () => this.#namespaces.isRunning('s3'));
  }

  async #startControlPlane(): Promise<void> {
    const { node, apiService, serviceCidr } = this.#addresses;
    const namespaces = this.#namespaces;
    await namespaces.start('etcd', binary('etcd'), etcdArguments(join(this.directory, 'etcd'), 2379, 2380));
    const certificates = this.#certificates();
    await certificates.ensure({
      ...controlPlaneIdentities([node, apiService]),
      ...nodeIdentities(this.nodeName, this.#addresses),
      'kube-controller-manager': { commonName: 'system:kube-controller-manager' },
      'kube-scheduler': { commonName: 'system:kube-scheduler' },
    });
    const server = `https://${node}:6443`;
    await writeFile(this.kubeconfig, await certificates.kubeconfig('admin', server), { mode: 0o600 });
    const address = { bind: node, port: 6443, advertise: node, serviceCidr };
    await namespaces.start(
      'kube-apiserver',
      binary('kube-apiserver'),
      apiServerArguments(address, certificates, 2379),
      directEnvironment(),
    );
    await waitForApiServer(this.kubectl, namespaces.logFile('kube-apiserver'), () =>
      namespaces.isRunning('kube-apiserver'),
    );
    await this.#startController('kube-controller-manager', [
      '--use-service-account-credentials',
      `--root-ca-file=${certificates.authority}`,
      `--service-account-private-key-file=${certificates.key('service-account')}`,
    ]);
    await this.#startController('kube-scheduler', []);
  }

  async #startController(tool: 'kube-controller-manager' | 'kube-scheduler', args: string[]): Promise<void> {
    const kubeconfig = join(this.directory, `${tool}.kubeconfig`);
    const server = `https://${this.#addresses.node}:6443`;
    await writeFile(kubeconfig, await this.#certificates().kubeconfig(tool, server), { mode: 0o600 });
    const common = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false'];
    await this.#namespaces.start(tool, binary(tool), [...common, ...args], directEnvironment());
  }
}

async function reserveSlot(directory: string, log: Log): Promise<number> {
  return withLock(join(clustersDirectory(), '.lock'), log, async () => {
    saveHostSettings();
    const held = slotOf(directory);
    if (held !== undefined) return held;
    const slot = await freeSlot();
    await writeFile(join(directory, 'cluster.json'), JSON.stringify({ slot }));
    return slot;
  });
}

function elapsed(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
