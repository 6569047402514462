/**
 * A small cluster in memory: what Job controller, garbage collector, queue and kubelet do to the Jobs and pods of one
 * FineTuneJob, one step at a time and as slowly or badly as the dice say. Written from the documentation of Kubernetes.
 */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { decide } from '../../../operator/decide/decide.ts';
import type { FineTuneJob, FineTuneRuntime, Observed, Plan } from '../../../operator/decide/plan.ts';
import { millis } from '../../../operator/decide/present.ts';
import { isQueued } from '../../../operator/decide/stage.ts';
import {
  after,
  aPod,
  comeTrue,
  endedStatus,
  failed,
  interrupted,
  progressOf,
  rejected,
  runningFrom,
  succeeded,
  validated,
} from '../builders.ts';
import { control, withSuspend } from './job-controller.ts';

type Dice = () => number;

/** How pods behave: they succeed soon; they end in any way; they train on until they are asked to stop, and stop late. */
export type Mood = 'well' | 'badly' | 'long';

/** In which a pod that is asked to stop comes to its end, in the mood `long`. */
const stopSeconds = 90;

export class Simulation {
  readonly #dice: Dice;
  readonly #runtime: FineTuneRuntime;
  /** Seconds by which the clock of the node is ahead. */
  readonly #ahead: number;
  #observed: Observed;
  /** Pods that ended and are gone. The operator has them in mind until it is started again. */
  readonly #ended: V1Pod[] = [];
  #forgotten = 0;
  /** The run that the operator has begun, and since when; its status may not say so yet. */
  #begun: { runId: string | undefined; at: number } = { runId: undefined, at: 0 };
  #since = 0;
  #made = 0;
  /** Seconds since the start. */
  time = 0;
  /** Seconds that trainers of the run ran. */
  trained = 0;

  constructor(job: FineTuneJob, runtime: FineTuneRuntime, dice: Dice, ahead: number) {
    this.#dice = dice;
    this.#ahead = ahead;
    this.#runtime = runtime;
    this.#observed = {
      job,
      runtime,
      batchJobs: [],
      pods: [],
      foreign: [],
      refusals: [],
      progress: undefined,
    };
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

  /** Whether the run that the user wants has come to its end. */
  get isOver(): boolean {
    const { spec, status } = this.job;
    return status?.runId === spec.runId && status.completionTime !== undefined;
  }

  /** Jobs and pods that there have been so far. */
  get made(): number {
    return this.#made;
  }

  /** An administrator takes the runtime away, or gives it back. */
  offerRuntime(offered: boolean): void {
    this.#set({ runtime: offered ? this.#runtime : undefined });
  }

  change(spec: object): void {
    const { metadata, spec: before } = this.job;
    const generation = (metadata.generation ?? 0) + 1;
    this.#set({ job: { ...this.job, metadata: { ...metadata, generation }, spec: { ...before, ...spec } } });
  }

  /** The operator looks; its actions come true, and without the write of the status if it dies in between. */
  look(dies = false): Plan {
    const pods = [...this.#observed.pods, ...this.#ended.slice(this.#forgotten)];
    const plan = decide({ ...this.#observed, pods }, after(this.time));
    this.#begin(plan, dies);
    const next = comeTrue(this.#observed, plan);
    const made = next.batchJobs.filter((job) => !this.batchJobs.includes(job));
    for (const job of made) job.metadata = { ...job.metadata, creationTimestamp: after(this.time) };
    // A Job that is made again has the old name and a new UID.
    for (const job of made) if (!this.#knows(job)) job.metadata!.uid = `job-${this.#made++}`;
    this.#set({ batchJobs: next.batchJobs, ...(dies ? {} : { job: next.job }) });
    if (dies) this.#forgotten = this.#ended.length;
    return plan;
  }

  /** A run begins when it is decided on first; if the operator dies and the run before is wanted again, that goes on. */
  #begin({ status: { runId } }: Plan, dies: boolean): void {
    const stored = this.job.status?.runId;
    if (runId === stored) this.#begun.runId = undefined;
    else if (this.#begun.runId !== runId) this.#begun = { runId, at: this.time };
    if (runId === stored || dies) return;
    this.#since = this.#begun.at;
    this.trained = 0;
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
    this.#set({ batchJobs: this.batchJobs.map((job) => (isQueued(job) ? withSuspend(job, suspend) : job)) });
  }

  /** Time goes on and the cluster with it. */
  step(seconds: number, mood: Mood): void {
    this.time += seconds;
    for (const pod of this.trainers) {
      if (millis(pod.metadata!.creationTimestamp)! >= after(this.#since).getTime()) this.trained += seconds;
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
    if (phase === 'Pending' && asked !== undefined)
      this.#replace(pod, { ...pod, status: { phase: 'Failed' } });
    else if (phase === 'Pending' && this.#dice() < 0.7) this.#start(pod);
    else if (phase === 'Running') this.#goOn(pod, mood, asked && new Date(asked));
    else if (asked !== undefined && this.#dice() < 0.5) {
      this.#replace(pod, undefined);
      this.#ended.push(pod);
    }
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
    const conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: after(this.time) }];
    this.#replace(pod, { ...pod, status: { ...runningFrom(this.time + this.#ahead), conditions } });
  }

  #end(pod: V1Pod, exitCode: number): void {
    const status = endedStatus(exitCode, this.#lastWord(pod, exitCode));
    const terminated = status.containerStatuses![0]!.state!.terminated!;
    terminated.startedAt = pod.status!.containerStatuses![0]!.state!.running!.startedAt!;
    terminated.finishedAt = after(this.time + this.#ahead);
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

  #jobController(before: V1Job): V1Job {
    const pods = [...this.#observed.pods, ...this.#ended].filter(
      ({ metadata }) => metadata!.ownerReferences![0]!.uid === before.metadata!.uid,
    );
    const { job, stop, isShort } = control(before, pods, after(this.time));
    for (const pod of stop) this.#askToStop(pod);
    if (isShort && this.#dice() < 0.7) this.#makePod(job);
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

function isTrain({ metadata }: V1Pod): boolean {
  return metadata?.labels?.['finetune.dev/stage'] === 'train';
}
