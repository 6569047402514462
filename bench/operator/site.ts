/** Where the operator is measured: the bench plays the queue and the trainers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { parse } from 'yaml';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels } from '../../operator/manifests/names.ts';
import { quantityValue } from '../../operator/manifests/quantity.ts';
import { createMemoryCgroup, removeCgroup } from '../../test/cluster/cgroups.ts';
import { freePorts } from '../../test/cluster/control-plane.ts';
import { job as smallestJob } from '../../test/crds/objects.ts';
import { collections, type DirectApi, pathOf } from '../../test/faults/direct-api.ts';
import { account, namespace } from '../../test/operator/api.ts';
import { OperatorProcess } from './operator-process.ts';
import { JobQueue } from './queue.ts';
import { Runs } from './runs.ts';
import { type ClusterOptions, makeAll, SimulatedCluster } from './simulated-cluster.ts';
import { Trainers } from './trainers.ts';

export type SiteOptions = ClusterOptions & {
  /** The operator as one file. */
  program: string;
};

const operatorAccount = { name: account, namespace };
/** Of the operator; two benches may run side by side. */
const cgroup = `bench-${process.pid}`;

export class Site {
  readonly #cluster: SimulatedCluster;
  readonly #program: string;
  readonly api: DirectApi;
  readonly queue: JobQueue;
  readonly trainers: Trainers;
  readonly runs = new Runs();
  readonly #operators: OperatorProcess[] = [];

  private constructor(cluster: SimulatedCluster, { program, active, trainMs }: SiteOptions) {
    this.#cluster = cluster;
    this.#program = program;
    this.api = cluster.api;
    this.queue = new JobQueue(this.api, active);
    this.trainers = new Trainers(trainMs);
    const path = ({ prefix, plural }: { prefix: string; plural: string }) => `${prefix}/${plural}`;
    cluster.watch<FineTuneJob>({ path: path(collections.fineTuneJobs) }, (seen) => this.#see(seen));
    cluster.watch<V1Job>({ path: path(collections.jobs), metadataOnly: true }, (seen) =>
      this.runs.seeBatchJob(seen),
    );
    const trainPods = `${path(collections.pods)}?labelSelector=${labels.stage}%3Dtrain`;
    cluster.watch<V1Pod>({ path: trainPods }, (seen) => this.trainers.see(seen));
  }

  static async start(options: SiteOptions): Promise<Site> {
    return new Site(await SimulatedCluster.start(options, [operatorAccount]), options);
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
    const { directory } = this.#cluster;
    const kubeconfig = join(directory, 'operator.kubeconfig');
    await this.#cluster.writeKubeconfig(kubeconfig, operatorAccount, through);
    const [port] = (await freePorts(1)) as [number];
    const started = performance.now();
    const operator = new OperatorProcess({
      program: this.#program,
      kubeconfig,
      port,
      logFile: join(directory, `operator-${this.#operators.length + 1}.log`),
      flags: [`--lease-namespace=${namespace}`],
      group: createMemoryCgroup(cgroup, await chartMemory()),
    });
    this.#operators.push(operator);
    return { operator, readySeconds: await operator.ready(started) };
  }

  /** Makes FineTuneJobs: at once, or so many a second. */
  create(names: readonly string[], perSecond?: number): Promise<void> {
    return makeAll(names, (name) => this.#createOne(name), perSecond);
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
    return this.#cluster.requests(operatorAccount);
  }

  get logDirectories(): readonly string[] {
    return this.#cluster.logDirectories;
  }

  async stop(): Promise<void> {
    for (const operator of this.#operators) await operator.kill('SIGKILL');
    await this.#cluster.stop();
    this.trainers.stop();
    await removeCgroup(cgroup);
  }
}

/** Bytes that the chart lets the operator use. */
async function chartMemory(): Promise<number> {
  const file = join(import.meta.dirname, '../../helm/finetune-operator/values.yaml');
  const values = parse(await readFile(file, 'utf8')) as { resources: { limits: { memory: string } } };
  return quantityValue(values.resources.limits.memory);
}
