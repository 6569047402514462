/** Building, applying and watching FineTuneJobs in the end-to-end tests. */
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { apply } from './platform.ts';

export type Job = {
  metadata: { name: string; namespace: string; uid: string; generation: number };
  spec: Record<string, unknown>;
  status?: FineTuneJobStatus;
};

/** What a test changes of the plain job; objects are merged, everything else is replaced. */
export type Changes = { [key: string]: unknown };

function merge(base: Changes, changes: Changes): Changes {
  const merged: Changes = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const old = merged[key];
    const both = [old, value].every((one) => typeof one === 'object' && one !== null && !Array.isArray(one));
    merged[key] = both ? merge(old as Changes, value as Changes) : value;
  }
  return merged;
}

/** A source on the S3 server of the cluster. */
export function s3(cluster: Cluster, bucket: string, prefix: string, secretName = 's3'): Changes {
  return {
    s3: { endpoint: cluster.s3.endpoint, bucket, prefix, credentialsSecretRef: { name: secretName } },
  };
}

/** A job that trains MiniLM on few e-mails; `changes` are merged into its spec. */
export function fineTuneJob(
  cluster: Cluster,
  namespace: string,
  name: string,
  changes: Changes = {},
): object {
  const spec = {
    task: 'SequenceClassification',
    model: s3(cluster, 'models', 'minilm'),
    dataset: {
      source: s3(cluster, 'datasets', 'few-emails'),
      columns: { text: 'message', label: 'label' },
      splits: { train: 'train.jsonl', validation: 'validation.jsonl', test: 'test.jsonl' },
    },
    training: { epochs: '1', batchSize: 8, maxLength: 64, learningRate: '1e-4' },
    output: s3(cluster, 'results', `${namespace}/${name}`),
    checkpoints: { everySteps: 10 },
    resources: { gpus: 1, cpu: '500m', memory: '3Gi' },
  };
  return {
    apiVersion: 'finetune.dev/v1alpha1',
    kind: 'FineTuneJob',
    metadata: { name, namespace },
    spec: merge(spec, changes),
  };
}

/** The job as the API server has it; undefined when it is gone. */
export async function getJob(cluster: Cluster, namespace: string, name: string): Promise<Job> {
  return JSON.parse(
    await cluster.kubectl(['get', 'finetunejob', name, '-n', namespace, '-o', 'json']),
  ) as Job;
}

/** Applies jobs and gives nothing back: what happens is in their status. */
export async function applyJobs(cluster: Cluster, ...jobs: object[]): Promise<void> {
  await apply(cluster, jobs);
}

/** Polls until `done` holds; the error tells what the job looked like instead. */
export async function waitForJob(
  cluster: Cluster,
  namespace: string,
  name: string,
  what: string,
  done: (job: Job) => boolean,
  timeoutMs = 600_000,
): Promise<Job> {
  let seen: Job | undefined;
  const arrived = async () => {
    seen = await getJob(cluster, namespace, name);
    return done(seen) && seen;
  };
  const hopeless = async () => {
    const ended = seen?.status?.completionTime !== undefined && seen.status.runId === seen.spec['runId'];
    return ended ? `the run has ended as ${seen?.status?.phase}` : undefined;
  };
  try {
    const options = { timeoutMs, intervalMs: 1000, hopeless };
    return await waitFor(`${namespace}/${name} ${what}`, arrived, options);
  } catch (error) {
    const pods = await cluster.kubectl(['get', 'pods', '-n', namespace, '-o', 'wide'], {
      allowFailure: true,
    });
    const status = JSON.stringify(seen?.status, null, 1);
    throw new Error(`${(error as Error).message}; status is ${status}\n${pods}`, { cause: error });
  }
}

/** Waits until the run has ended, in whatever way. */
export function waitForEnd(
  cluster: Cluster,
  namespace: string,
  name: string,
  timeoutMs?: number,
): Promise<Job> {
  return waitForJob(
    cluster,
    namespace,
    name,
    'ended',
    (job) => job.status?.completionTime !== undefined,
    timeoutMs,
  );
}

/** Status of a condition: True, False, Unknown, or undefined when it is not there. */
export function condition(job: Job, type: string): string | undefined {
  return job.status?.conditions?.find((one) => one.type === type)?.status;
}
