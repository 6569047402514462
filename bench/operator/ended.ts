/** Many runs that are over, without having been run: copies of one that was, with all that it left in the cluster. */
import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels, type Stage, stageName } from '../../operator/manifests/names.ts';
import { type Collection, collections, type DirectApi, pathOf } from '../../test/faults/direct-api.ts';

type Child<T> = { stage: Stage; object: T };
/** What one run left. */
type Remains = { job: FineTuneJob; jobs: Child<V1Job>[]; pods: Child<V1Pod>[] };

/** Objects on their way at the same time. */
const makers = 32;

/** What the run of this name left. @throws Error while it or a Job of it has not ended, or something of it is missing */
export async function remainsOf(api: DirectApi, namespace: string, name: string): Promise<Remains> {
  const job = await api.call<FineTuneJob>('GET', pathOf(collections.fineTuneJobs, namespace, name));
  const children = async <T extends KubernetesObject>(collection: Collection): Promise<Child<T>[]> => {
    const path = `${pathOf(collection, namespace)}?labelSelector=${labels.jobUid}%3D${job.metadata.uid}`;
    const { items } = await api.call<{ items: T[] }>('GET', path);
    return items.map((object) => ({ stage: object.metadata?.labels?.[labels.stage] as Stage, object }));
  };
  const [jobs, pods] = [await children<V1Job>(collections.jobs), await children<V1Pod>(collections.pods)];
  // The Job controller says so later than the operator, which reads it from the pod.
  const isOver = [job, ...jobs.map(({ object }) => object)].every(({ status }) => status?.completionTime);
  if (!isOver || jobs.length !== 2 || pods.length !== 2)
    throw new Error(
      `${name} is no pattern: ended ${isOver}, ${jobs.length} Jobs, ${pods.length} pods; two of each are left by a run`,
    );
  return { job, jobs, pods };
}

/** Makes the copies; says how far it is after each thousand. */
export async function copyRemains(
  api: DirectApi,
  remains: Remains,
  names: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  let [next, done] = [0, 0];
  const work = async () => {
    for (let i = next++; i < names.length; i = next++) {
      await copyOne(api, remains, names[i]!);
      if (++done % 1000 === 0) log(`${done} of ${names.length} ended runs are there`);
    }
  };
  await Promise.all(Array.from({ length: makers }, work));
}

async function copyOne(api: DirectApi, { job, jobs, pods }: Remains, name: string): Promise<void> {
  const { uid } = await make(api, collections.fineTuneJobs, { ...job, metadata: fresh(job, name) });
  /** The same with the names of the copy in it. */
  const renamed = <T extends object>(object: T): T =>
    JSON.parse(
      JSON.stringify(object)
        .replaceAll(job.metadata.uid, uid)
        .replaceAll(`"${job.metadata.name}"`, `"${name}"`),
    ) as T;
  for (const { stage, object } of jobs) {
    const childName = stageName({ name, uid }, job.spec.runId, stage);
    const made = await make(
      api,
      collections.jobs,
      atRest(renamed({ ...object, metadata: fresh(object, childName) })),
    );
    for (const pod of pods.filter((each) => each.stage === stage)) {
      const copy = renamed({ ...pod.object, metadata: fresh(pod.object, `${childName}-copy`) });
      const text = JSON.stringify(copy)
        .replaceAll(object.metadata?.uid ?? '', made.uid)
        .replaceAll(`"${object.metadata?.name}"`, `"${childName}"`);
      await make(api, collections.pods, unattended(JSON.parse(text) as V1Pod));
    }
  }
}

/** Creates an object and gives it its status. */
async function make<T extends KubernetesObject & { status?: object | undefined }>(
  api: DirectApi,
  collection: Collection,
  object: T,
): Promise<{ uid: string }> {
  const { namespace = '', name = '' } = object.metadata ?? {};
  const made = await api.call<KubernetesObject>('POST', pathOf(collection, namespace), object);
  const { status } = object;
  await api.call('PATCH', `${pathOf(collection, namespace, name)}/status`, { status });
  return { uid: made.metadata?.uid ?? '' };
}

function fresh({ metadata = {} }: KubernetesObject, name: string) {
  const { namespace = '', labels: own, annotations, ownerReferences } = metadata;
  return {
    name,
    namespace,
    ...(own && { labels: own }),
    ...(annotations && { annotations }),
    ...(ownerReferences && { ownerReferences }),
  };
}

/** The Job controller leaves it alone; what the API server adds to a Job is left out. */
function atRest(job: V1Job): V1Job {
  const { selector: _, template, ...spec } = job.spec!;
  const metadata = { ...template.metadata, labels: withoutAdded(template.metadata?.labels) };
  return {
    ...job,
    metadata: { ...job.metadata!, labels: withoutAdded(job.metadata?.labels) },
    spec: { ...spec, managedBy: 'bench.example.com/ended', template: { ...template, metadata } },
  };
}

function withoutAdded(own: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(own).filter(([label]) => !/(^|\/)(controller-uid|job-name)$/.test(label)),
  );
}

/** On a node that is not there, so that nobody plays it. */
function unattended(pod: V1Pod): V1Pod {
  return { ...pod, spec: { ...pod.spec!, nodeName: 'gone' } };
}
