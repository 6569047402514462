/** Kubeflow's Trainer in the place of the operator: its manager, and that of JobSet, which makes the Jobs of its TrainJobs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubernetesObject, V1Job } from '@kubernetes/client-node';
import { labels, trainerContainer } from '../../operator/manifests/names.ts';
import { builds, ensureBinaries } from '../../test/cluster/binaries.ts';
import { collections } from '../../test/faults/direct-api.ts';
import { apply, namespace } from '../../test/operator/api.ts';
import { type Line, latency, line, namesOf, requestCount, requestLines, siteLines } from './lines.ts';
import { withLogs } from './logs.ts';
import type { MeasuredProcess } from './measured-process.ts';
import { type Manager, startManager } from './peer-manager.ts';
import { inWords, processorTime } from './processor-time.ts';
import { Runs } from './runs.ts';
import { type ClusterOptions, gpuResource, makeAll, SimulatedCluster } from './simulated-cluster.ts';

const jobSet: Manager = {
  tool: 'jobset',
  title: `JobSet ${builds.jobset.version}`,
  account: { name: 'jobset-controller-manager', namespace: 'jobset-system' },
  secret: 'jobset-webhook-server-cert',
  manifests: ['config/default'],
  async arguments(webhookPort, directory) {
    const apiVersion = 'config.jobset.x-k8s.io/v1alpha1';
    const config = { apiVersion, kind: 'Configuration', webhook: { port: webhookPort } };
    await writeFile(join(directory, 'config.yaml'), JSON.stringify(config));
    // The first two as in its Deployment. Nobody asks for its metrics, and there is one of it.
    return [
      '--config=/tmp/config.yaml',
      '--zap-log-level=2',
      '--metrics-bind-address=0',
      '--leader-elect=false',
    ];
  },
};

const trainer: Manager = {
  tool: 'trainer-controller-manager',
  title: `Kubeflow Trainer ${builds['trainer-controller-manager'].version}`,
  account: { name: 'kubeflow-trainer-controller-manager', namespace: 'kubeflow-system' },
  secret: 'kubeflow-trainer-webhook-cert',
  manifests: ['crds', 'rbac', 'manager', 'webhook'].map((part) => `manifests/base/${part}`),
  arguments: async (webhookPort) => [`--webhook-server-port=${webhookPort}`],
};

const managers = [jobSet, trainer];
const accounts = managers.map(({ account }) => account);
const peerName = `${trainer.title} with ${jobSet.title}`;
const runtimeName = 'bench';
const trainJobs = { group: 'trainer.kubeflow.org', version: 'v1alpha1', plural: 'trainjobs' };
const apiVersion = `${trainJobs.group}/${trainJobs.version}`;

type TrainJob = KubernetesObject & { status?: { conditions?: { type: string; status: string }[] } };
type Settings = ClusterOptions & { jobs: number; log: (line: string) => void };

/**
 * TrainJobs of one pod, all made at once.
 * @returns lines under the names that the operator's have, with the peer's name
 */
export async function peerBurst(name: string, settings: Settings): Promise<Line[]> {
  await ensureBinaries(managers.map(({ tool }) => tool));
  const cluster = await SimulatedCluster.start(settings, accounts);
  return withLogs(cluster, settings.log, () => measure(name, cluster, settings));
}

async function measure(name: string, cluster: SimulatedCluster, settings: Settings): Promise<Line[]> {
  const started: MeasuredProcess[] = [];
  try {
    for (const manager of managers) started.push(await startManager(cluster, manager));
    const spent = processorTime();
    const runs = await runTrainJobs(cluster, settings);
    const seconds = spent();
    settings.log(`processor time: ${inWords(seconds)}`);
    const requests = await Promise.all(accounts.map((account) => cluster.requests(account)));
    return [...linesOf(name, settings.jobs, runs, started, requests), ...siteLines(name, seconds).map(named)];
  } finally {
    for (const each of started) await each.kill('SIGKILL');
  }
}

async function runTrainJobs(cluster: SimulatedCluster, { jobs, log }: Settings): Promise<Runs> {
  const runs = new Runs();
  const path = `/apis/${apiVersion}/namespaces/${namespace}/${trainJobs.plural}`;
  cluster.watch<TrainJob>({ path }, ({ object: { metadata, status } }) => {
    const end = status?.conditions?.find(
      (one) => ['Complete', 'Failed'].includes(one.type) && one.status === 'True',
    );
    if (end !== undefined) runs.ended(metadata?.name ?? '', end.type);
  });
  const { prefix, plural } = collections.jobs;
  cluster.watch<V1Job>({ path: `${prefix}/${plural}`, metadataOnly: true }, ({ object }) =>
    runs.jobMade(object.metadata?.labels?.['jobset.sigs.k8s.io/jobset-name'] ?? ''),
  );
  await apply(cluster.plane, [runtime()]);
  const spec = { runtimeRef: { name: runtimeName } };
  await makeAll(namesOf('run', jobs), async (name) => {
    runs.asked(name);
    await cluster.api.call('POST', path, {
      apiVersion,
      kind: 'TrainJob',
      metadata: { name, namespace },
      spec,
    });
  });
  log(`all ${jobs} TrainJobs are there`);
  await runs.allEnded(log);
  if (runs.phases['Complete'] !== jobs)
    throw new Error(`not all TrainJobs are complete: ${JSON.stringify(runs.phases)}`);
  return runs;
}

/** One pod with one GPU; its labels make the nodes run it as long as a trainer of ours. */
function runtime(): object {
  const own = [labels.job, labels.jobUid, labels.run].map((label) => [label, 'none']);
  const resources = { limits: { [gpuResource]: '1' } };
  const container = { name: trainerContainer, image: 'registry.example.com/trainer:1', resources };
  const pod = {
    metadata: { labels: { ...Object.fromEntries(own), [labels.stage]: 'train' } },
    spec: { restartPolicy: 'Never', containers: [container] },
  };
  const job = {
    metadata: { labels: { 'trainer.kubeflow.org/trainjob-ancestor-step': 'trainer' } },
    spec: { template: pod },
  };
  const template = { spec: { replicatedJobs: [{ name: 'node', template: job }] } };
  const metadata = { name: runtimeName };
  return {
    apiVersion,
    kind: 'ClusterTrainingRuntime',
    metadata,
    spec: { mlPolicy: { numNodes: 1 }, template },
  };
}

/** A figure of both managers together. */
function named(each: Line): Line {
  return { ...each, peerName };
}

function linesOf(
  name: string,
  jobs: number,
  runs: Runs,
  processes: readonly MeasuredProcess[],
  requests: readonly ReadonlyMap<string, number>[],
): Line[] {
  /** The sum for both managers; what each has of it stands in the name. */
  const shared = (what: string, unit: string, values: readonly number[]): Line => {
    const parts = managers.map(({ title }, i) => `${title} (${Number(values[i]!.toPrecision(4))})`);
    const sum = values.reduce((all, value) => all + value, 0);
    return { ...line(`${name}: ${what}`, sum, unit), peerName: parts.toReversed().join(' with ') };
  };
  const all = new Map<string, number>();
  for (const [what, count] of requests.flatMap((each) => [...each]))
    all.set(what, (all.get(what) ?? 0) + count);
  return [
    named(line(`${name}: all done`, runs.wholeSeconds, 's')),
    ...latency(name, runs).map(named),
    shared(
      'API requests a job without progress writes',
      'requests',
      requests.map((each) => requestCount(each) / jobs),
    ),
    ...requestLines(name, all, jobs).map(named),
    shared(
      'operator memory, high-water mark',
      'MiB',
      processes.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20),
    ),
    shared(
      'operator CPU',
      's',
      processes.map(({ cpuSeconds }) => cpuSeconds),
    ),
  ];
}
