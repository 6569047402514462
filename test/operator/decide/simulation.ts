/**
 * A small cluster in memory, and the operator in it, whose caches may lag behind: what the Job controller, the garbage collector, a queue and the kubelet do to the Jobs and pods
 * of one FineTuneJob, one step at a time and as slowly or badly as the dice say. Written from the documentation of Kubernetes.
 */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { decideSurely } from '../../../operator/controller/certainty.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { Action, FineTuneJob, FineTuneRuntime, Observed, Plan } from '../../../operator/decide/plan.ts';
import { failJobExitCodes } from '../../../operator/manifests/failure-policy.ts';
import {
  after,
  aPod,
  comeTrue,
  endedStatus,
  failed,
  interrupted,
  jobCondition,
  progressOf,
  rejected,
  runningFrom,
  succeeded,
  validated,
} from '../builders.ts';
import { worldClient } from '../world-client.ts';
import { LaggingCaches } from './lagging-caches.ts';

type Dice = () => number;

/** How pods behave: they succeed soon; they end in any way; they train on until they are asked to stop, and stop late. */
export type Mood = 'well' | 'badly' | 'long';

/** In which a pod that is asked to stop comes to its end, in the mood `long`. */
const stopSeconds = 90;

export class Simulation {
  readonly #dice: Dice;
  readonly #caches: LaggingCaches | undefined;
  #observed: Observed;
  #made = 0;
  #version = 0;
  /** The FineTuneJob was deleted. */
  isGone = false;
  /** Seconds since the start. */
  time = 0;
  /** Seconds that trainers ran, by run. */
  readonly trained = new Map<string, number>();

  /** @param lags whether the operator sees by caches that are late, or all as it is */
  constructor(job: FineTuneJob, runtime: FineTuneRuntime, dice: Dice, { lags = false } = {}) {
    this.#dice = dice;
    this.#caches = lags ? new LaggingCaches(dice) : undefined;
    this.#observed = { job, runtime, batchJobs: [], pods: [], foreign: [], progress: undefined };
    this.#set({});
  }

  get job(): FineTuneJob {
    return this.#observed.job;
  }

  get batchJobs(): V1Job[] {
    return this.#observed.batchJobs;
  }

  /** Train pods whose container runs. */
  get trainers(): V1Pod[] {
    return this.#observed.pods.filter((pod) => isTrain(pod) && pod.status?.phase === 'Running');
  }

  /** Train pods that said that they reached their goal. */
  get endedWell(): V1Pod[] {
    return this.#observed.pods.filter((pod) => isTrain(pod) && pod.status?.phase === 'Succeeded');
  }

  change(spec: object): void {
    const { metadata, spec: before } = this.job;
    const generation = (metadata.generation ?? 0) + 1;
    this.#write({ ...this.job, metadata: { ...metadata, generation }, spec: { ...before, ...spec } });
  }

  /** The operator looks; its actions come true, and without the write of the status if it dies in between. */
  async look(dies = false): Promise<void> {
    const now = after(this.time);
    const cached = this.#caches?.show() ?? this.#observed;
    const { client } = worldClient(this.#observed);
    const signal = new AbortController().signal;
    const decided = await decideSurely(cached, (seen) => decide(seen, now), client, signal);
    if (decided === undefined || !this.#carryOut(decided.plan)) return;
    const isNewest = decided.job.metadata.resourceVersion === this.job.metadata.resourceVersion;
    if (dies) this.#caches?.catchUp();
    else if (isNewest && decided.plan.status !== this.job.status) {
      this.#write({ ...this.job, status: decided.plan.status });
      this.#caches?.catchUp('job');
    }
  }

  /** Somebody deletes a Job or a pod by hand. */
  vandalise(): void {
    const job = this.#pick(this.batchJobs);
    const pod = this.#pick(this.#observed.pods);
    if (this.#dice() < 0.5) this.#set({ batchJobs: this.batchJobs.filter((one) => one !== job) });
    else if (pod !== undefined) this.#askToStop(pod);
  }

  /** A queue admits or evicts. */
  queue(suspend: boolean): void {
    const queued = (job: V1Job) => job.metadata?.labels?.['kueue.x-k8s.io/queue-name'] !== undefined;
    this.#set({
      batchJobs: this.batchJobs.map((job) =>
        queued(job) ? { ...job, spec: { ...job.spec!, suspend } } : job,
      ),
    });
  }

  /** Time goes on and the cluster with it. */
  step(seconds: number, mood: Mood): void {
    this.time += seconds;
    for (const pod of this.trainers) {
      const run = pod.metadata!.labels!['finetune.dev/run']!;
      this.trained.set(run, (this.trained.get(run) ?? 0) + seconds);
    }
    for (const pod of this.#observed.pods) this.#kubelet(pod, mood);
    this.#collectGarbage();
    this.#set({ batchJobs: this.batchJobs.map((job) => this.#jobController(job)) });
    const [trainer] = this.trainers;
    const podUid = trainer?.metadata?.uid;
    const value = podUid && progressOf(podUid, { runId: trainer!.metadata!.labels!['finetune.dev/run']! });
    this.#set({ progress: value ? { podUid: podUid!, at: after(this.time), value } : undefined });
  }

  #set(changes: Partial<Observed>): void {
    this.#observed = { ...this.#observed, ...changes };
    this.#caches?.note(this.#observed);
  }

  /** As the API server stores it. */
  #write(job: FineTuneJob): void {
    this.#set({ job: { ...job, metadata: { ...job.metadata, resourceVersion: `${++this.#version}` } } });
  }

  /** What the API server and execute.ts make of the actions. @returns whether the status may be written */
  #carryOut(plan: Plan): boolean {
    for (const action of plan.actions) {
      if (action.kind !== 'create' && action.objectKind === 'FineTuneJob') {
        this.isGone = action.resourceVersion === this.job.metadata.resourceVersion;
        return false;
      }
      const target = this.batchJobs.find((job) => isTargetOf(action, job));
      if (action.kind === 'patch' && target === undefined) return false;
      // A Job that is there under the name, or gone already, is what was wanted.
      if ((action.kind === 'create') === (target === undefined)) this.#act(plan, action);
    }
    return true;
  }

  #act(plan: Plan, action: Action): void {
    const { batchJobs } = comeTrue(this.#observed, { ...plan, actions: [action] });
    // A Job that is made again has the old name and a new UID.
    for (const job of batchJobs.filter((one) => !this.batchJobs.includes(one) && !this.#knows(one)))
      job.metadata = { ...job.metadata, creationTimestamp: after(this.time), uid: `job-${this.#made++}` };
    this.#set({ batchJobs });
    this.#caches?.catchUp('batchJobs');
  }

  #knows({ metadata }: V1Job): boolean {
    return this.batchJobs.some((job) => job.metadata?.uid === metadata?.uid);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#dice() * items.length)];
  }

  #replace(pod: V1Pod, next: V1Pod | undefined): void {
    this.#set({ pods: this.#observed.pods.flatMap((one) => (one === pod ? (next ?? []) : one)) });
  }

  #askToStop(pod: V1Pod): void {
    if (pod.metadata?.deletionTimestamp !== undefined) return;
    this.#replace(pod, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: after(this.time) } });
  }

  #kubelet(pod: V1Pod, mood: Mood): void {
    const phase = pod.status?.phase;
    const asked = pod.metadata?.deletionTimestamp;
    if (phase === 'Pending' && asked !== undefined) this.#replace(pod, undefined);
    else if (phase === 'Pending' && this.#dice() < 0.7) this.#start(pod);
    else if (phase === 'Running') this.#goOn(pod, mood, asked && new Date(asked));
    else if (asked !== undefined && this.#dice() < 0.5) this.#replace(pod, undefined);
  }

  #goOn(pod: V1Pod, mood: Mood, asked: Date | undefined): void {
    const patient = mood === 'long';
    if (asked === undefined) {
      const ends = !patient && this.#dice() < (mood === 'well' ? 0.5 : 0.2);
      if (ends) this.#end(pod, mood === 'well' ? 0 : this.#pick([0, 0, 11, 18, 30, 31, 137])!);
      return;
    }
    const late = after(this.time).getTime() - asked.getTime() >= stopSeconds * 1000;
    if (!patient || late || this.#dice() < 0.1) this.#end(pod, this.#dice() < 0.8 ? 143 : 137);
  }

  #start(pod: V1Pod): void {
    this.#replace(pod, { ...pod, status: runningFrom(this.time) });
  }

  #end(pod: V1Pod, exitCode: number): void {
    const status = endedStatus(exitCode, this.#lastWord(pod, exitCode));
    const terminated = status.containerStatuses![0]!.state!.terminated!;
    terminated.startedAt = pod.status!.containerStatuses![0]!.state!.running!.startedAt!;
    terminated.finishedAt = after(this.time);
    this.#replace(pod, { ...pod, status });
  }

  #lastWord(pod: V1Pod, exitCode: number): unknown {
    const { uid = '', labels = {} } = pod.metadata ?? {};
    const words: Record<number, object | string> = {
      0: isTrain(pod) ? (this.#dice() < 0.8 ? succeeded(uid) : rejected(uid)) : validated(uid),
      11: failed(uid, 'DataError', 'bad'),
      18: failed(uid, 'AcceleratorOutOfMemory', 'full'),
      30: failed(uid, 'SourceUnavailable', 'gone'),
      143: interrupted(uid),
    };
    const word = words[exitCode] ?? '';
    return typeof word === 'string' ? word : { ...word, runId: labels['finetune.dev/run'] };
  }

  /** Pods of a Job that is gone are asked to stop. */
  #collectGarbage(): void {
    const uids = new Set(this.batchJobs.map(({ metadata }) => metadata?.uid));
    for (const pod of this.#observed.pods) {
      if (!uids.has(pod.metadata!.ownerReferences![0]!.uid)) this.#askToStop(pod);
    }
  }

  /** One pod at a time, the next one only when the last is gone for good: podReplacementPolicy Failed. */
  #jobController(job: V1Job): V1Job {
    const pods = this.#observed.pods.filter(
      ({ metadata }) => metadata!.ownerReferences![0]!.uid === job.metadata!.uid,
    );
    const live = pods.filter(({ status }) => status?.phase === 'Pending' || status?.phase === 'Running');
    const over = job.status?.conditions?.[0] !== undefined;
    const late = job.spec?.activeDeadlineSeconds === 1 && job.spec.suspend !== true;
    if (over || late || job.spec?.suspend === true) for (const pod of live) this.#askToStop(pod);
    if (over) return job;
    const end = (type: string, reason: string, message = '') => ({
      ...job,
      status: jobCondition(type, reason, message),
    });
    if (late && live.length === 0) return end('Failed', 'DeadlineExceeded');
    const codes = pods.map((pod) => pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode);
    if (codes.includes(0)) return end('Complete', 'CompletionsReached');
    const final = codes.find((code) => code !== undefined && failJobExitCodes.includes(code));
    if (final !== undefined)
      return end('Failed', 'PodFailurePolicy', `failed with exit code ${final} matching`);
    const failures = codes.filter((code) => code !== undefined && code !== 143).length;
    if (failures > (job.spec?.backoffLimit ?? 6)) return end('Failed', 'BackoffLimitExceeded');
    if (live.length === 0 && job.spec?.suspend !== true && !late && this.#dice() < 0.7) this.#makePod(job);
    return job;
  }

  #makePod(job: V1Job): void {
    const pod = aPod(
      job,
      `pod-${this.#made++}`,
      { phase: 'Pending' },
      { creationTimestamp: after(this.time) },
    );
    this.#set({ pods: [...this.#observed.pods, pod] });
  }
}

function isTargetOf(action: Action, { metadata }: V1Job): boolean {
  return action.kind === 'create'
    ? action.object.metadata?.name === metadata?.name
    : action.uid === metadata?.uid;
}

function isTrain({ metadata }: V1Pod): boolean {
  return metadata?.labels?.['finetune.dev/stage'] === 'train';
}
