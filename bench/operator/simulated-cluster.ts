/**
 * A real API server and etcd with the real Job controller and scheduler, and nodes that kwok plays: where an operator is
 * measured. Requests of some accounts are counted in the audit log.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { ensureBinaries } from '../../test/cluster/binaries.ts';
import type { ControlPlane } from '../../test/cluster/control-plane.ts';
import { waitFor } from '../../test/cluster/wait.ts';
import { DirectApi } from '../../test/faults/direct-api.ts';
import { accountToken, startPlane } from '../../test/operator/api.ts';
import { type Account, auditPolicy, requestsOf } from './audit.ts';
import { stagesOf, type Times } from './stages.ts';
import { type Sighting, type WitnessOptions, witness } from './witness.ts';

export type ClusterOptions = Times & {
  /** Trainers for which there is room at a time. */
  active: number;
  /** Controllers of kube-controller-manager that run. */
  controllers?: readonly string[];
  /** Second number of the first node's pod addresses, 128 to 250: two clusters side by side need five of their own each. */
  net?: number;
};

export const gpuResource = 'nvidia.com/gpu';
const nodeNames = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];
/** Requests on their way at the same time while jobs are made. */
const creators = 32;

export class SimulatedCluster {
  readonly plane: ControlPlane;
  readonly directory: string;
  readonly api: DirectApi;
  readonly #end = new AbortController();
  readonly #watching: Promise<void>[] = [];

  private constructor(plane: ControlPlane, directory: string) {
    this.plane = plane;
    this.directory = directory;
    this.api = new DirectApi(plane.kubeconfig);
  }

  /** @param accounts whose requests are counted */
  static async start(options: ClusterOptions, accounts: readonly Account[]): Promise<SimulatedCluster> {
    await ensureBinaries(['kube-controller-manager', 'kube-scheduler', 'kwok']);
    const directory = await mkdtemp(join(tmpdir(), 'bench-operator-'));
    const policy = join(directory, 'audit-policy.json');
    await writeFile(policy, auditPolicy(accounts));
    const plane = await startPlane('bench', {
      // Ten thousand runs write more than etcd takes by default between two compactions.
      etcd: [`--quota-backend-bytes=${8 * 1024 ** 3}`],
      apiServer: [
        `--audit-policy-file=${policy}`,
        `--audit-log-path=${join(directory, 'audit.log')}`,
        // In MiB. Left alone it begins another file after 100, and ten thousand runs make many.
        '--audit-log-maxsize=100000',
        '--etcd-compaction-interval=60s',
      ],
    });
    const cluster = new SimulatedCluster(plane, directory);
    try {
      await cluster.#furnish(options);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #furnish(options: ClusterOptions): Promise<void> {
    const stages = join(this.directory, 'stages.yaml');
    await writeFile(stages, stagesOf(options));
    const { kubeconfig } = this.plane;
    await this.plane.startControllers(options.controllers ?? ['job-controller']);
    await this.plane.run('kube-scheduler', [
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--kube-api-qps=1000',
      '--kube-api-burst=2000',
    ]);
    // One for each node, as a kubelet is. One for all of them looks at every pod again after each watch that it lost, and
    // loses the next meanwhile, since the API server cuts off who reads too slowly: with ten thousand jobs it never got through.
    for (const name of nodeNames)
      await this.plane.run('kwok', [
        `--kubeconfig=${kubeconfig}`,
        `--config=${stages}`,
        `--manage-single-node=${name}`,
        '--node-ip=127.0.0.1',
      ]);
    await this.#makeNodes(options);
  }

  async #makeNodes({ active, net = 130 }: ClusterOptions): Promise<void> {
    const gpus = Math.ceil(active / nodeNames.length);
    const capacity = { cpu: '100k', memory: '100Ti', pods: '100k', [gpuResource]: String(gpus) };
    const made = nodeNames.map((name, i) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      // Addresses of pods are on this machine alone.
      spec: { podCIDR: `127.${net + i}.0.0/16` },
      status: { capacity, allocatable: capacity },
    }));
    for (const node of made) await this.api.call('POST', '/api/v1/nodes', node);
    await waitFor(
      'nodes',
      async () => {
        type Nodes = { items: { status?: { conditions?: { type: string; status: string }[] } }[] };
        const { items } = await this.api.call<Nodes>('GET', '/api/v1/nodes');
        const ready = items.filter(({ status }) =>
          status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
        );
        return ready.length === nodeNames.length;
      },
      { timeoutMs: 30_000 },
    );
    // Nobody here takes the taint away that a new node has.
    for (const { metadata } of made)
      await this.api.call('PATCH', `/api/v1/nodes/${metadata.name}`, { spec: { taints: [] } });
  }

  /** Passes on each event of a collection that is empty at first, until the end. */
  watch<T>(options: WitnessOptions, onSighting: (sighting: Sighting<T>) => void): void {
    this.#watching.push(witness<T>(this.api, options, onSighting, this.#end.signal));
  }

  /**
   * Writes a kubeconfig with a token of an account.
   * @param through address of a proxy before the API server
   */
  async writeKubeconfig(file: string, account: Account, through?: string): Promise<void> {
    const admin = new KubeConfig();
    admin.loadFromFile(this.plane.kubeconfig);
    const config = new KubeConfig();
    const cluster =
      through === undefined
        ? admin.getCurrentCluster()!
        : { name: 'proxy', server: through, skipTLSVerify: true };
    const token = await accountToken(this.plane, account);
    config.loadFromClusterAndUser(cluster, { name: account.name, token });
    await writeFile(file, config.exportConfig(), { mode: 0o600 });
  }

  /** What an account has asked of the API server so far. */
  requests(account: Account): Promise<Map<string, number>> {
    return requestsOf(join(this.directory, 'audit.log'), account);
  }

  get logDirectories(): readonly string[] {
    return [this.directory, this.plane.directory];
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#watching);
    await this.api.close();
    await this.plane.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Makes one for each name: all at once, or so many a second. */
export async function makeAll(
  names: readonly string[],
  makeOne: (name: string) => Promise<void>,
  perSecond?: number,
): Promise<void> {
  const started = performance.now();
  let next = 0;
  const work = async () => {
    for (let i = next++; i < names.length; i = next++) {
      const due = perSecond === undefined ? 0 : started + (i * 1000) / perSecond;
      await sleep(Math.max(0, due - performance.now()));
      await makeOne(names[i]!);
    }
  };
  await Promise.all(Array.from({ length: creators }, work));
}
