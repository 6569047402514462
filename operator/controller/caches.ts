/** The four watches of the controller, and which job each change concerns. */
import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import type { JobPhase } from '../../crds/status.schema.ts';
import type { FineTuneJob, FineTuneRuntime } from '../decide/plan.ts';
import { endedAs } from '../decide/stage.ts';
import type { Client } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { jobs, pods, type Resource } from '../kube/resources.ts';
import { type Change, controllerUid, Store } from '../kube/store.ts';
import { Watch, type WatchObserver, type WatchTimes } from '../kube/watch.ts';
import type { Log } from '../log.ts';
import { labels } from '../manifests/names.ts';
import { EndedPods } from './ended-pods.ts';
import { fineTuneJobs, fineTuneRuntimes } from './resources.ts';
import { trimJob, trimPod } from './trim.ts';

type Options = {
  client: Client;
  clock: Clock;
  log: Log;
  /** undefined = all namespaces. */
  namespace: string | undefined;
  observer: (resource: Resource) => WatchObserver;
  times?: WatchTimes;
};

/** Nobody owns anything in another namespace, whatever is claimed there. */
const within = (namespace: string | undefined, uid = '') => `${namespace}/${uid}`;
const byOwner = (object: KubernetesObject) => within(object.metadata?.namespace, controllerUid(object));
/** Pods outlive a Job that is deleted: the label still tells whose they are. */
const byJobLabel = ({ metadata }: V1Pod) => within(metadata?.namespace, metadata?.labels?.[labels.jobUid]);
/** Phases of a run that has a trainer, or gets one. */
const training: readonly (JobPhase | undefined)[] = ['Pending', 'Training', 'Stopping'];
/** What nobody looks at before something happens to it. */
const isIdle = {
  run: ({ status }: FineTuneJob) => !training.includes(status?.phase),
  job: (job: V1Job) => job.spec?.suspend === true || endedAs(job) !== undefined,
  pod: ({ status }: V1Pod) => status?.phase === 'Succeeded' || status?.phase === 'Failed',
};
const byUid = ({ metadata }: KubernetesObject) => within(metadata?.namespace, metadata?.uid);

type JobIdentity = Pick<FineTuneJob['metadata'], 'namespace' | 'uid'>;

/** Called with "namespace/name" of a FineTuneJob that may need a pass; `isNew` = its status knows nothing of its run. */
type OnJob = (key: string, isNew: boolean) => void;

const runStates = ['new', 'underWay', 'waiting', 'over'] as const;
/** Phases of a run that waits until somebody lets it in. */
const waiting: readonly (JobPhase | undefined)[] = ['Queued', 'Suspended'];
/** What the status knows of the run that the spec asks for. */
function runState({ spec, status }: FineTuneJob): (typeof runStates)[number] {
  if (status?.runId !== spec.runId) return 'new';
  if (status.completionTime !== undefined) return 'over';
  return waiting.includes(status.phase) ? 'waiting' : 'underWay';
}

export class Caches {
  readonly jobs = new Store<FineTuneJob, 'runtime' | 'uid' | 'run'>(
    { runtime: (job) => job.spec.runtimeRef.name, uid: byUid, run: runState },
    isIdle.run,
  );
  readonly runtimes = new Store<FineTuneRuntime>({});
  readonly batchJobs = new Store<V1Job, 'owner'>({ owner: byOwner }, isIdle.job);
  readonly pods = new Store<V1Pod, 'job'>({ job: byJobLabel }, isIdle.pod);
  readonly #endedPods = new EndedPods();
  #onJob: OnJob | undefined;
  readonly #watches: { hasSynced: boolean; resource: Resource; run(signal: AbortSignal): Promise<void> }[];

  constructor(options: Options) {
    const onJob: OnJob = (key, isNew) => this.#onJob?.(key, isNew);
    const onChild = (owner: string) => {
      for (const key of this.jobs.keysBy('uid', owner)) onJob(key, false);
    };
    const onPod = (change: Change<V1Pod, 'job'>) => {
      const owner = change.values.job;
      if (change.type === 'deleted' && this.#isUnderWay(owner)) this.#endedPods.keep(owner, change.object);
      onChild(owner);
    };
    const onFineTuneJob = ({ type, key, values: { uid, run } }: Change<FineTuneJob, 'uid' | 'run'>) => {
      // Its status says all that they could tell.
      if (type === 'deleted' || run === 'over') this.#endedPods.forget(uid);
      onJob(key, run === 'new');
    };
    const onRuntime = ({ object }: Change<FineTuneRuntime>) => {
      for (const key of this.jobs.keysBy('runtime', object.metadata.name)) onJob(key, false);
    };
    const children = { selector: labels.jobUid };
    this.#watches = [
      watch(options, fineTuneRuntimes, this.runtimes, onRuntime),
      watch(options, fineTuneJobs, this.jobs, onFineTuneJob),
      watch(options, jobs, this.batchJobs, ({ values }) => onChild(values.owner), {
        ...children,
        trim: trimJob,
      }),
      watch(options, pods, this.pods, onPod, { ...children, trim: trimPod }),
    ];
  }

  /**
   * Says of each job that it may need a pass, and from now on of those that something changed about. A replica that waits for
   * the lease does not listen: it would collect keys for days.
   */
  listen(onJob: OnJob): void {
    for (const run of runStates) for (const key of this.jobs.keysBy('run', run)) onJob(key, run === 'new');
    this.#onJob = onJob;
  }

  /** Pods of a job: those that exist, and those that are gone after they had ended. */
  podsOf({ namespace, uid }: JobIdentity): V1Pod[] {
    const owner = within(namespace, uid);
    return [...this.pods.by('job', owner), ...this.#endedPods.of(owner)];
  }

  batchJobsOf({ namespace, uid }: JobIdentity): V1Job[] {
    return this.batchJobs.by('owner', within(namespace, uid));
  }

  /** What is known of an object that the operator writes, by "namespace/name". */
  find(resource: Resource, key: string): KubernetesObject | undefined {
    return resource === fineTuneJobs ? this.jobs.get(key) : this.batchJobs.get(key);
  }

  /** Resources whose first list is not complete yet. */
  get missing(): string[] {
    return this.#watches.filter(({ hasSynced }) => !hasSynced).map(({ resource }) => resource.plural);
  }

  /** Jobs whose status has details to tell, now or soon. */
  get telling(): number {
    return this.jobs.count('run', 'new') + this.jobs.count('run', 'underWay');
  }

  get sizes(): Record<string, number> {
    return {
      [fineTuneJobs.plural]: this.jobs.size,
      [fineTuneRuntimes.plural]: this.runtimes.size,
      [jobs.plural]: this.batchJobs.size,
      [pods.plural]: this.pods.size,
    };
  }

  #isUnderWay(owner: string): boolean {
    return this.jobs.by('uid', owner).some((job) => runState(job) !== 'over');
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
  onChange: (change: Change<T, I>) => void,
  { selector, trim = (object) => object }: { selector?: string; trim?: (object: T) => T } = {},
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
    ...(selector === undefined ? {} : { selector }),
    trim,
  });
  return Object.assign(made, { resource });
}
