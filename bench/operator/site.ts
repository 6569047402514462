/**
 * Where the operator is measured: a real API server and etcd with the real Job controller and scheduler; kwok plays the
 * nodes, the bench the queue and the trainers.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig, type V1Job, type V1Pod } from '@kubernetes/client-node';
import { parse } from 'yaml';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels } from '../../operator/manifests/names.ts';
import { quantityValue } from '../../operator/manifests/quantity.ts';
import { ensureBinaries } from '../../test/cluster/binaries.ts';
import { createMemoryCgroup, removeCgroup } from '../../test/cluster/cgroups.ts';
import { type ControlPlane, freePorts } from '../../test/cluster/control-plane.ts';
import { waitFor } from '../../test/cluster/wait.ts';
import { job as smallestJob } from '../../test/crds/objects.ts';
import { collections, DirectApi, pathOf } from '../../test/faults/direct-api.ts';
import { account, accountToken, namespace, startPlane } from '../../test/operator/api.ts';
import { auditPolicy, requestsOf } from './audit.ts';
import { OperatorProcess } from './operator-process.ts';
import { JobQueue } from './queue.ts';
import { Runs } from './runs.ts';
import { stagesOf, type Times } from './stages.ts';
import { Trainers } from './trainers.ts';
import { witness } from './witness.ts';

export type SiteOptions = Times & {
  /** Trainers that run at a time. */
  active: number;
  /** The operator as one file. */
  program: string;
  /** Controllers of kube-controller-manager that run. */
  controllers?: readonly string[];
  /** Second number of the first node's pod addresses, 128 to 250: two sites side by side need five of their own each. */
  net?: number;
};

const nodes = 5;
const resourceName = 'nvidia.com/gpu';
/** Requests on their way at the same time while jobs are made. */
const creators = 32;
/** Of the operator; two benches may run side by side. */
const cgroup = `bench-${process.pid}`;

export class Site {
  readonly #plane: ControlPlane;
  readonly #directory: string;
  readonly #options: SiteOptions;
  readonly #end = new AbortController();
  readonly #watching: Promise<void>[] = [];
  readonly api: DirectApi;
  readonly queue: JobQueue;
  readonly trainers = new Trainers();
  readonly runs = new Runs();
  readonly #operators: OperatorProcess[] = [];

  private constructor(plane: ControlPlane, directory: string, options: SiteOptions) {
    this.#plane = plane;
    this.#directory = directory;
    this.#options = options;
    this.api = new DirectApi(plane.kubeconfig);
    this.queue = new JobQueue(this.api, options.active);
  }

  static async start(options: SiteOptions): Promise<Site> {
    await ensureBinaries(['kube-controller-manager', 'kube-scheduler', 'kwok']);
    const directory = await mkdtemp(join(tmpdir(), 'bench-operator-'));
    const policy = join(directory, 'audit-policy.json');
    await writeFile(policy, auditPolicy(`system:serviceaccount:${namespace}:${account}`));
    const plane = await startPlane('bench', {
      // Ten thousand runs write more than etcd takes by default between two compactions.
      etcd: [`--quota-backend-bytes=${8 * 1024 ** 3}`],
      apiServer: [
        `--audit-policy-file=${policy}`,
        `--audit-log-path=${join(directory, 'audit.log')}`,
        '--etcd-compaction-interval=60s',
      ],
    });
    const site = new Site(plane, directory, options);
    try {
      await site.#furnish();
      return site;
    } catch (error) {
      await site.stop();
      throw error;
    }
  }

  async #furnish(): Promise<void> {
    const stages = join(this.#directory, 'stages.yaml');
    await writeFile(stages, stagesOf(this.#options));
    const { kubeconfig } = this.#plane;
    await this.#plane.startControllers(this.#options.controllers ?? ['job-controller']);
    await this.#plane.run('kube-scheduler', [
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--kube-api-qps=1000',
      '--kube-api-burst=2000',
    ]);
    await this.#plane.run('kwok', [
      `--kubeconfig=${kubeconfig}`,
      `--config=${stages}`,
      '--manage-all-nodes=true',
      '--node-ip=127.0.0.1',
    ]);
    await this.#makeNodes();
    const { signal } = this.#end;
    const path = ({ prefix, plural }: { prefix: string; plural: string }) => `${prefix}/${plural}`;
    this.#watching.push(
      witness<FineTuneJob>(
        this.api,
        { path: path(collections.fineTuneJobs) },
        (seen) => this.#see(seen),
        signal,
      ),
      witness<V1Job>(
        this.api,
        { path: path(collections.jobs), metadataOnly: true },
        (seen) => this.runs.seeBatchJob(seen),
        signal,
      ),
      witness<V1Pod>(
        this.api,
        { path: `${path(collections.pods)}?labelSelector=${labels.stage}%3Dtrain` },
        (seen) => this.trainers.see(seen),
        signal,
      ),
    );
  }

  async #makeNodes(): Promise<void> {
    const { active, net = 130 } = this.#options;
    const gpus = Math.ceil(active / nodes);
    const capacity = { cpu: '100k', memory: '100Ti', pods: '100k', [resourceName]: String(gpus) };
    const made = Array.from({ length: nodes }, (_, i) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${i + 1}` },
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
        return ready.length === nodes;
      },
      { timeoutMs: 30_000 },
    );
    // Nobody here takes the taint away that a new node has.
    for (const { metadata } of made)
      await this.api.call('PATCH', `/api/v1/nodes/${metadata.name}`, { spec: { taints: [] } });
  }

  #see(seen: { type: string; object: FineTuneJob }): void {
    this.runs.see(seen);
    const { metadata, status } = seen.object;
    if (status?.completionTime !== undefined) this.queue.release(metadata.uid);
    else if (status?.phase === 'Queued' && metadata.labels?.[labels.queue]) this.queue.add(metadata);
  }

  /**
   * Starts an operator process with the settings of the chart; it is ready when it is returned.
   * @param through address of a proxy before the API server
   */
  async startOperator(through?: string): Promise<{ operator: OperatorProcess; readySeconds: number }> {
    const admin = new KubeConfig();
    admin.loadFromFile(this.#plane.kubeconfig);
    const config = new KubeConfig();
    const cluster =
      through === undefined
        ? admin.getCurrentCluster()!
        : { name: 'proxy', server: through, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: account, token: await accountToken(this.#plane) });
    const kubeconfig = join(this.#directory, 'operator.kubeconfig');
    await writeFile(kubeconfig, config.exportConfig(), { mode: 0o600 });
    const [port] = (await freePorts(1)) as [number];
    const started = performance.now();
    const operator = new OperatorProcess({
      program: this.#options.program,
      kubeconfig,
      port,
      logFile: join(this.#directory, `operator-${this.#operators.length + 1}.log`),
      flags: [`--lease-namespace=${namespace}`],
      group: createMemoryCgroup(cgroup, await chartMemory()),
    });
    this.#operators.push(operator);
    return { operator, readySeconds: await operator.ready(started) };
  }

  /** Makes FineTuneJobs: at once, or so many a second. */
  async create(names: readonly string[], perSecond?: number): Promise<void> {
    const started = performance.now();
    let next = 0;
    const work = async () => {
      for (let i = next++; i < names.length; i = next++) {
        const due = perSecond === undefined ? 0 : started + (i * 1000) / perSecond;
        await sleep(Math.max(0, due - performance.now()));
        await this.#createOne(names[i]!);
      }
    };
    await Promise.all(Array.from({ length: creators }, work));
  }

  async #createOne(name: string): Promise<void> {
    const smallest = smallestJob({ 'spec.resources': { gpus: 1 } }, name);
    const object = {
      ...smallest,
      metadata: { ...smallest.metadata, namespace, labels: { [labels.queue]: 'bench' } },
    };
    this.runs.asked(name);
    await this.api.call('POST', pathOf(collections.fineTuneJobs, namespace), object);
  }

  /** What the operator's account has asked of the API server so far. */
  requests(): Promise<Map<string, number>> {
    return requestsOf(join(this.#directory, 'audit.log'));
  }

  get logs(): string {
    return `${this.#directory} ${this.#plane.directory}`;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#watching);
    for (const operator of this.#operators) await operator.kill('SIGKILL');
    this.trainers.stop();
    await this.api.close();
    await this.#plane.stop();
    await removeCgroup(cgroup);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Bytes that the chart lets the operator use. */
async function chartMemory(): Promise<number> {
  const file = join(import.meta.dirname, '../../helm/finetune-operator/values.yaml');
  const values = parse(await readFile(file, 'utf8')) as { resources: { limits: { memory: string } } };
  return quantityValue(values.resources.limits.memory);
}
