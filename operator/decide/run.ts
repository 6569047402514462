/** What the checks look at: the observed objects, sorted by run and stage. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { FineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { annotations, type Stage, stageName } from '../manifests/names.ts';
import { isUnseen } from './attempts.ts';
import { endingOf, identityIn, isOver } from './ending.ts';
import type { FineTuneJob, Observed } from './plan.ts';
import { millis, timestampOf } from './present.ts';
import { preflightOf } from './report.ts';
import { byAge, controllerOf, jobNameOf, type StageView, viewStage } from './stage.ts';

export type Run = {
  observed: Observed;
  now: Date;
  job: FineTuneJob;
  runtime: FineTuneRuntimeSpec | undefined;
  /** The stored status, as far as it is about this run. */
  remembered: FineTuneJobStatus;
  /** When the run began. */
  startTime: string;
  /** Jobs of other runs. */
  formerJobs: V1Job[];
  /** Pods that may still do something and belong to no Job of this run. */
  strays: V1Pod[];
  preflight: StageView;
  train: StageView;
  /** Pods that train or trained for this run, oldest first: also those whose Job is gone. */
  trainPods: V1Pod[];
  /** What preflight found, remembered or just read. */
  report: FineTuneJobStatus['preflight'];
  /** The stage whose Job has to be made next. */
  missing: Stage | undefined;
};

export function viewRun(observed: Observed, now: Date): Run {
  const { job, runtime } = observed;
  // Anybody may claim an owner in a namespace that is not theirs.
  const isNear = ({ metadata }: V1Job | V1Pod) => metadata?.namespace === job.metadata.namespace;
  const batchJobs = observed.batchJobs.filter(isNear);
  const pods = observed.pods.filter(isNear);
  const { runId, dryRun } = job.spec;
  const remembered = job.status?.runId === runId ? job.status : {};
  const names = {
    preflight: stageName(job.metadata, runId, 'preflight'),
    train: stageName(job.metadata, runId, 'train'),
  };
  const named = (stage: Stage) => batchJobs.find(({ metadata }) => metadata?.name === names[stage]);
  const startTime = remembered.startTime ?? startOf(job.status, [named('preflight'), named('train')], now);
  const view = (stage: Stage): StageView => {
    const found = named(stage);
    const batchJob = isOf(startTime, found) ? found : undefined;
    return viewStage(batchJob, pods, identityIn(job, stage), remembered.failure);
  };
  const preflight = view('preflight');
  const withJob = view('train');
  const trainPods = ofThisRun(podsOf(names.train, pods), remembered, preflight, withJob);
  const train = publishedWithoutJob(withJob, trainPods, { job, remembered });
  const report = remembered.preflight ?? reportOf(preflight);
  return {
    observed,
    now,
    job,
    runtime: runtime?.spec,
    remembered,
    startTime,
    formerJobs: batchJobs.filter((one) => one !== preflight.job && one !== train.job),
    strays: straysAmong(pods, [preflight.job, train.job]),
    preflight,
    train,
    trainPods,
    report,
    missing: missingStage(report !== undefined, dryRun, preflight, train),
  };
}

/**
 * The start of a run of which the status knows nothing: a Job that is made already names it. One that began before the run
 * that the status tells of is of an earlier run, which had the same runId.
 */
function startOf(
  told: FineTuneJobStatus | undefined,
  jobs: readonly (V1Job | undefined)[],
  now: Date,
): string {
  const earlier = millis(told?.startTime) ?? 0;
  const named = jobs.map(startNamedBy).find((start) => (millis(start) ?? 0) > earlier);
  // Of two replicas the clock of one may be behind, and no two runs have the same start.
  return named ?? timestampOf(new Date(Math.max(now.getTime(), earlier + 1000))) ?? '';
}

function startNamedBy(job: V1Job | undefined): string | undefined {
  return job?.metadata?.annotations?.[annotations.startTime];
}

/** Jobs that an earlier version of the operator made name no start. */
function isOf(startTime: string, job: V1Job | undefined): boolean {
  return (startNamedBy(job) ?? startTime) === startTime;
}

/** The name of a Job holds the UID and the run: a deleted Job and the one made in its place have the same one. */
function podsOf(jobName: string, pods: readonly V1Pod[]): V1Pod[] {
  return pods.filter((pod) => jobNameOf(pod) === jobName).toSorted(byAge);
}

/**
 * A run that goes back to an earlier runId finds the pods of that one under the names of its own. Until an attempt is
 * remembered, which others come after, its pods are those of its train Job, and those made since its preflight Job.
 */
function ofThisRun(
  pods: V1Pod[],
  { attempt }: FineTuneJobStatus,
  preflight: StageView,
  train: StageView,
): V1Pod[] {
  if (attempt !== undefined) return pods;
  const began = millis(preflight.job?.metadata?.creationTimestamp) ?? Number.POSITIVE_INFINITY;
  return pods.filter(
    (pod) =>
      (train.job !== undefined && controllerOf(pod)?.uid === train.job.metadata?.uid) ||
      (millis(pod.metadata?.creationTimestamp) ?? 0) >= began,
  );
}

/**
 * A trainer that came to its goal while its Job was removed, by a hold or by hand, has ended the run: the model is
 * published. Pods of an earlier run that had the same runId do not count.
 */
function publishedWithoutJob(
  train: StageView,
  trainPods: readonly V1Pod[],
  { job, remembered: { attempt, preflight } }: Pick<Run, 'job' | 'remembered'>,
): StageView {
  // Before what preflight found is told, no trainer of this run can have come so far.
  if (train.state.at !== 'absent' || preflight === undefined) return train;
  const newest = trainPods.filter((pod) => pod.metadata?.uid === attempt?.podUID || isUnseen(pod, attempt));
  const endings = newest.flatMap((pod) => endingOf(pod, identityIn(job, 'train')) ?? []);
  const ending = endings.find(({ fault }) => fault === undefined);
  return ending === undefined ? train : { ...train, state: { at: 'reached', ending } };
}

function reportOf({ state }: StageView): FineTuneJobStatus['preflight'] {
  const result = state.at === 'reached' ? state.ending.result : undefined;
  return result?.outcome === 'Validated' ? preflightOf(result.preflight) : undefined;
}

/** A pod that no Job made only pretends: anybody may set our labels. */
function straysAmong(pods: readonly V1Pod[], jobs: readonly (V1Job | undefined)[]): V1Pod[] {
  const uids = new Set(jobs.map((job) => job?.metadata?.uid));
  return pods.filter(
    (pod) => jobNameOf(pod) !== undefined && !uids.has(controllerOf(pod)?.uid ?? '') && !isOver(pod),
  );
}

function missingStage(
  validated: boolean,
  dryRun: boolean,
  preflight: StageView,
  train: StageView,
): Stage | undefined {
  if (!validated) return preflight.state.at === 'absent' ? 'preflight' : undefined;
  return train.state.at === 'absent' && !dryRun ? 'train' : undefined;
}
