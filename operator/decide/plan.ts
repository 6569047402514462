/** What a pass over one FineTuneJob sees, and what it wants done: plain data, no I/O. */
import type { KubernetesObject, V1Job, V1ObjectMeta, V1Pod } from '@kubernetes/client-node';
import type { Reason } from '../../crds/conditions.ts';
import { type FineTuneJobSpec, ownController } from '../../crds/finetunejob.schema.ts';
import type { FineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import type { Progress } from '../../crds/trainer-contract.ts';

/** Metadata of an object that the API server has stored. */
export type StoredMeta = V1ObjectMeta & { name: string; namespace: string; uid: string };

/** A FineTuneJob as stored: every default of the spec is filled in. */
export type FineTuneJob = {
  apiVersion: string;
  kind: string;
  metadata: StoredMeta;
  spec: FineTuneJobSpec;
  status?: FineTuneJobStatus;
};

/** Whether the job is the operator's to work on: spec.managedBy names no other controller. */
export function isOwn({ spec: { managedBy = ownController } }: FineTuneJob): boolean {
  return managedBy === ownController;
}

export type FineTuneRuntime = {
  apiVersion: string;
  kind: string;
  metadata: V1ObjectMeta & { name: string };
  spec: FineTuneRuntimeSpec;
};

export type Observed = {
  job: FineTuneJob;
  /** The runtime that the job names; undefined = it does not exist. */
  runtime: FineTuneRuntime | undefined;
  /** batch/v1 Jobs whose controller owner has the UID of the job, of any run. */
  batchJobs: V1Job[];
  /** Pods with the label finetune.dev/job-uid of the job, also those whose batch Job is gone already. */
  pods: V1Pod[];
  /** "Job NAME" of objects that have a name we want and are not ours. */
  foreign: string[];
  /** What the API server did not take from us, as far as it was not taken since. */
  refusals: Refusal[];
  /** Last answer of the trainer that passed the schema. */
  progress: { podUid: string; at: Date; value: Progress } | undefined;
};

export type Action =
  | { kind: 'create'; object: KubernetesObject }
  | {
      kind: 'patch';
      apiVersion: string;
      objectKind: string;
      name: string;
      uid: string;
      resourceVersion?: string;
      /** JSON merge patch. */
      patch: object;
    }
  | {
      kind: 'delete';
      apiVersion: string;
      objectKind: string;
      name: string;
      uid: string;
      /** The object is deleted only while it is still this version. */
      resourceVersion?: string;
      because: string;
    };

/** An action on a Job that was refused, once or several times in a row, or that has failed for long. */
export type Refusal = {
  kind: Action['kind'];
  /** Name of the Job. */
  name: string;
  /** What was to be changed: another change of the same Job may be allowed. */
  patch?: object;
  /** What the API server said the last time. */
  answer: string;
  /** From the first refusal to the last one. */
  lastedMs: number;
  /** Since the last one. */
  agoMs: number;
  /** How long the API server asked to be left alone with it. */
  retryAfterMs?: number;
  /** Nobody said no: there was no answer, or that of a server that fails. */
  isFailure?: boolean;
};

export type JobEvent = { type: 'Normal' | 'Warning'; reason: Reason; message: string };

export type Plan = {
  actions: Action[];
  /** Wanted too, and left alone for a while because the API server refused it. */
  withheld?: Action[];
  /** The whole status as it should be; equal to the stored one = nothing to write. */
  status: FineTuneJobStatus;
  /** Sent after the status was written. */
  events: JobEvent[];
  /** The pod to ask for progress. */
  poll: { podUid: string; ip: string } | undefined;
  requeueAfterMs?: number;
};
