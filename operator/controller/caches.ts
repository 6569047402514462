/** The four watches of the controller, and which job each change concerns. */
import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob, FineTuneRuntime } from '../decide/plan.ts';
import { present } from '../decide/present.ts';
import type { Client } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { jobs, pods, type Resource } from '../kube/resources.ts';
import { type Change, controllerUid, keyOf, Store } from '../kube/store.ts';
import { Watch, type WatchObserver, type WatchTimes } from '../kube/watch.ts';
import type { Log } from '../log.ts';
import { labels } from '../manifests/names.ts';
import { fineTuneJobs, fineTuneRuntimes } from './resources.ts';

type Options = {
  client: Client;
  clock: Clock;
  log: Log;
  /** undefined = all namespaces. */
  namespace: string | undefined;
  observer: (resource: Resource) => WatchObserver;
  /** Called with "namespace/name" of a FineTuneJob that may need a pass. */
  onJob: (key: string) => void;
  times?: WatchTimes;
};

const byOwner = (object: KubernetesObject) => [controllerUid(object) ?? ''];
/** Pods outlive a Job that is deleted: the label still tells whose they are. */
const byJobLabel = (pod: V1Pod) => [pod.metadata?.labels?.[labels.jobUid] ?? ''];
const byUid = (object: KubernetesObject) => [object.metadata?.uid ?? ''];

export class Caches {
  readonly jobs = new Store<FineTuneJob, 'runtime' | 'uid'>({
    runtime: (job) => [job.spec.runtimeRef.name],
    uid: byUid,
  });
  readonly runtimes = new Store<FineTuneRuntime>({});
  readonly batchJobs = new Store<V1Job, 'owner'>({ owner: byOwner });
  readonly pods = new Store<V1Pod, 'job'>({ job: byJobLabel });
  readonly #watches: { hasSynced: boolean; resource: Resource; run(signal: AbortSignal): Promise<void> }[];

  constructor(options: Options) {
    const { onJob } = options;
    const onJobUid = (uid: string | undefined) => {
      for (const job of this.jobs.by('uid', uid ?? '')) onJob(keyOf(job));
    };
    const onPod = ({ object }: Change<V1Pod>) => onJobUid(object.metadata?.labels?.[labels.jobUid]);
    const onRuntime = ({ object }: Change<FineTuneRuntime>) => {
      for (const job of this.jobs.by('runtime', object.metadata.name)) onJob(keyOf(job));
    };
    const children = { selector: labels.jobUid };
    this.#watches = [
      watch(options, fineTuneRuntimes, this.runtimes, onRuntime),
      watch(options, fineTuneJobs, this.jobs, ({ object }) => onJob(keyOf(object))),
      watch(options, jobs, this.batchJobs, ({ object }) => onJobUid(controllerUid(object)), {
        ...children,
        trim: trimJob,
      }),
      watch(options, pods, this.pods, onPod, { ...children, trim: trimPod }),
    ];
  }

  /** Resources whose first list is not complete yet. */
  get missing(): string[] {
    return this.#watches.filter(({ hasSynced }) => !hasSynced).map(({ resource }) => resource.plural);
  }

  get sizes(): Record<string, number> {
    return {
      [fineTuneJobs.plural]: this.jobs.size,
      [fineTuneRuntimes.plural]: this.runtimes.size,
      [jobs.plural]: this.batchJobs.size,
      [pods.plural]: this.pods.size,
    };
  }

  /** Watches until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#watches.map((each) => each.run(signal)));
  }
}

function watch<T extends KubernetesObject, I extends string>(
  { client, clock, log, namespace, observer, times }: Options,
  resource: Resource,
  store: Store<T, I>,
  onChange: (change: Change<T>) => void,
  more: { selector?: string; trim?: (object: T) => T } = {},
) {
  const made = new Watch<T, I>({
    client,
    clock,
    log,
    store,
    resource,
    onChange,
    namespace: resource.namespaced ? namespace : undefined,
    observer: observer(resource),
    ...(times === undefined ? {} : { times }),
    ...more,
  });
  return Object.assign(made, { resource });
}

/** Of the spec of a Job only this is read; the pod template with its run config would be most of the memory. */
function trimJob(job: V1Job): V1Job {
  const { suspend, activeDeadlineSeconds } = job.spec ?? {};
  const spec = { ...present({ suspend, activeDeadlineSeconds }), template: {} };
  return { ...job, spec };
}

/** Of the spec of a pod only the node and the resources are read; the rest would be most of the memory. */
function trimPod(pod: V1Pod): V1Pod {
  if (pod.metadata !== undefined) delete pod.metadata.annotations;
  if (pod.spec !== undefined) {
    const { nodeName, containers } = pod.spec;
    pod.spec = {
      ...(nodeName && { nodeName }),
      containers: containers.map(({ name, resources }) => ({ name, ...(resources && { resources }) })),
    };
  }
  return pod;
}
