/** What must hold at every moment of every run, whatever strikes. Pure: judges the history that the witness saw. */
import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import type { Reason } from '../../crds/conditions.ts';
import type { Condition } from '../../crds/status.schema.ts';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels } from '../../operator/manifests/names.ts';
import type { Sighting } from './witness.ts';

const final = ['Complete', 'Failed', 'Rejected'] as const;

/** Walks through the history in the order of etcd and collects what was wrong, each with the version at which it was. */
export function violationsOf(history: readonly Sighting[]): string[] {
  const judge = new Judge();
  for (const sighting of history.toSorted((a, b) => versionOf(a) - versionOf(b))) judge.see(sighting);
  return judge.violations;
}

function versionOf({ object }: Sighting): number {
  return Number(object.metadata?.resourceVersion);
}

/** The stage of which there is, or was, a Job when the condition Ready has this reason. */
const presumed: Partial<Record<Reason, string>> = {
  PreflightPending: 'preflight',
  PreflightRunning: 'preflight',
  TrainingQueued: 'train',
  TrainingPending: 'train',
  TrainingRunning: 'train',
  TrainingRetrying: 'train',
  Succeeded: 'train',
  GateNotPassed: 'train',
};

/** What the condition Ready says of a run that is on hold. */
const holds: readonly Reason[] = ['SuspendedByUser', 'BudgetExhausted'];

/** What is counted over a run, and never falls while it lasts. */
const counted = [
  'attempts',
  'activeSeconds',
  'gpuSeconds',
  'trainSeconds',
  'trainedTokens',
  'lostSteps',
] as const;

class Judge {
  readonly violations: string[] = [];
  readonly #objects = new Map<string, KubernetesObject>();
  /** Jobs that were ever made, by the run and stage that they are for. */
  readonly #made = new Set<string>();

  see(sighting: Sighting): void {
    const { type, object } = sighting;
    const uid = object.metadata?.uid ?? '';
    const before = this.#objects.get(uid);
    if (type === 'DELETED') this.#objects.delete(uid);
    else this.#objects.set(uid, object);
    const say = (what: string) =>
      this.violations.push(
        `${what} (${object.kind} ${object.metadata?.name} at ${object.metadata?.resourceVersion})`,
      );
    if (object.kind === 'FineTuneJob') {
      const job = object as FineTuneJob;
      judgeStatus(before as FineTuneJob | undefined, job, say);
      if (type === 'DELETED') return;
      this.#judgeOrder(job, say);
      this.#judgeHold(job, say);
    } else if (type !== 'DELETED') {
      if (object.kind === 'Job') this.#judgeJob(before, object as V1Job, say);
      this.#judgeTrainers(object, say);
    }
  }

  #of<T extends KubernetesObject>(kind: string, jobUid: string | undefined): T[] {
    return [...this.#objects.values()].filter(
      (object) => object.kind === kind && object.metadata?.labels?.[labels.jobUid] === jobUid,
    ) as T[];
  }

  /** At most one trainer, and at most one Job that could start one. */
  #judgeTrainers({ metadata }: KubernetesObject, say: (what: string) => void): void {
    const jobUid = metadata?.labels?.[labels.jobUid];
    if (jobUid === undefined || metadata?.labels?.[labels.stage] !== 'train') return;
    const pods = this.#of<V1Pod>('Pod', jobUid).filter((pod) => isTrain(pod) && isAlive(pod));
    if (pods.length > 1) say(`${pods.length} trainers are alive`);
    const jobs = this.#of<V1Job>('Job', jobUid).filter((job) => isTrain(job) && mayStartPods(job));
    if (jobs.length > 1) say(`${jobs.length} Jobs may start a trainer`);
  }

  #judgeJob(before: KubernetesObject | undefined, job: V1Job, say: (what: string) => void): void {
    const owner = this.#objects.get(job.metadata?.labels?.[labels.jobUid] ?? '') as FineTuneJob | undefined;
    if (before === undefined) this.#judgeNewJob(owner, job, say);
    if (owner !== undefined) this.#judgeHold(owner, say);
  }

  /** A run that has ended gets no new Job. */
  #judgeNewJob(owner: FineTuneJob | undefined, { metadata }: V1Job, say: (what: string) => void): void {
    const { completionTime, runId } = owner?.status ?? {};
    const { jobUid, run, stage } = labels;
    this.#made.add([jobUid, run, stage].map((label) => metadata?.labels?.[label]).join(' '));
    if (completionTime !== undefined && runId === metadata?.labels?.[labels.run])
      say('a Job was made after the end');
  }

  /** What the status says has been done before it is said. */
  #judgeOrder({ metadata, status }: FineTuneJob, say: (what: string) => void): void {
    const ready = readyOf(status);
    const stage = presumed[ready?.reason as Reason];
    if (stage !== undefined && !this.#made.has(`${metadata.uid} ${status?.runId} ${stage}`))
      say(`${ready?.reason} was said before there was a ${stage} Job`);
  }

  /** While the status says that the run is on hold, and its user asks for nothing else, no Job may start a pod. */
  #judgeHold({ metadata, status }: FineTuneJob, say: (what: string) => void): void {
    const ready = readyOf(status);
    if (!holds.includes(ready?.reason as Reason) || ready?.observedGeneration !== metadata.generation) return;
    // The Job controller takes a moment to see that a preflight is complete.
    const live = this.#of<V1Job>('Job', metadata.uid).filter(
      (job) => status?.preflight === undefined || isTrain(job),
    );
    if (live.some(mayStartPods)) say('said to be on hold and is not');
  }
}

function readyOf(status: FineTuneJob['status']): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}

function judgeStatus(
  before: FineTuneJob | undefined,
  { status }: FineTuneJob,
  say: (what: string) => void,
): void {
  const old = before?.status;
  if (old === undefined) return;
  if ((status?.observedGeneration ?? 0) < (old.observedGeneration ?? 0)) say('observedGeneration fell');
  const find = (conditions: Condition[] | undefined, type: string) =>
    conditions?.find((one) => one.type === type);
  for (const condition of old.conditions ?? []) {
    const now = find(status?.conditions, condition.type);
    if (now === undefined) say(`condition ${condition.type} vanished`);
    const isFinal = final.some((type) => type === condition.type) && condition.status === 'True';
    if (isFinal && old.runId === status?.runId && now?.status !== 'True')
      say(`${condition.type} was taken back`);
    if (now?.status === condition.status && now.lastTransitionTime !== condition.lastTransitionTime)
      say(`lastTransitionTime of ${condition.type} moved although it did not change`);
  }
  if (
    old.completionTime !== undefined &&
    old.runId === status?.runId &&
    status?.completionTime !== old.completionTime
  )
    say('completionTime changed');
  if (old.runId !== status?.runId) return;
  if (old.startTime !== undefined && status?.startTime !== old.startTime) say('startTime changed');
  for (const field of counted) {
    const [was, is] = [old.usage?.[field] ?? 0, status?.usage?.[field] ?? 0];
    if (is < was) say(`usage.${field} fell from ${was} to ${is}`);
  }
  if ((status?.attempt?.number ?? 0) < (old.attempt?.number ?? 0)) say('attempt.number fell');
}

function isTrain({ metadata }: KubernetesObject): boolean {
  return metadata?.labels?.[labels.stage] === 'train';
}

function isAlive({ status }: V1Pod): boolean {
  return status?.phase !== 'Failed' && status?.phase !== 'Succeeded';
}

function mayStartPods({ metadata, status, spec }: V1Job): boolean {
  const ends = ['Complete', 'Failed', 'SuccessCriteriaMet', 'FailureTarget'];
  const over = status?.conditions?.some((one) => ends.includes(one.type) && one.status === 'True');
  return metadata?.deletionTimestamp === undefined && spec?.suspend !== true && !over;
}
