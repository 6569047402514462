/**
 * A small cluster in memory: what Job controller, garbage collector, queue and kubelet do to the Jobs and pods of one
 * FineTuneJob, one step at a time and as slowly or badly as the dice say. Written from the documentation of Kubernetes.
 * The operator sees it as it is, or by caches that lag behind, and reads anew what it reads anew in a real one.
 */
import { isDeepStrictEqual } from 'node:util';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { decideSurely } from '../../../operator/controller/certainty.ts';
import { decide } from '../../../operator/decide/decide.ts';
import type { Action, FineTuneJob, FineTuneRuntime, Observed, Plan } from '../../../operator/decide/plan.ts';
import { millis } from '../../../operator/decide/present.ts';
import { controllerOf, hasLivePods, isQueued } from '../../../operator/decide/stage.ts';
import { labels } from '../../../operator/manifests/names.ts';
import { after, aPod, comeTrue, progressOf } from '../builders.ts';
import { worldClient } from '../world-client.ts';
import { control, withSuspend } from './job-controller.ts';
import { graceSeconds, isTrain, kubelet, type Mood } from './kubelet.ts';
import { LaggingCaches } from './lagging-caches.ts';

type Dice = () => number;

export class Simulation {
  readonly #dice: Dice;
  #runtime: FineTuneRuntime;
  /** Seconds by which the clock of the node is ahead. */
  readonly #ahead: number;
  readonly #caches: LaggingCaches | undefined;
  #observed: Observed;
  /** Pods that ended and are gone. The operator has them in mind until it is started again. */
  readonly #ended: V1Pod[] = [];
  #forgotten = 0;
  /** When the process of the operator was started. */
  #startedAt = 0;
  /** The run that the operator has begun, and since when; its status may not say so yet. */
  #begun: { runId: string | undefined; at: number } = { runId: undefined, at: 0 };
  #since = 0;
  /** By pod: when it was made, and the seconds that its trainer ran. */
  readonly #ran = new Map<string, { madeAt: number; seconds: number }>();
  /** UIDs of pods whose node is away: it does nothing that it is asked for, and tells nothing. */
  readonly #lost = new Set<string>();
  #made = 0;
  #version = 0;
  /** The FineTuneJob was deleted. */
  isGone = false;
  /** Seconds since the start. */
  time = 0;

  constructor(job: FineTuneJob, runtime: FineTuneRuntime, dice: Dice, { ahead = 0, lags = false } = {}) {
    this.#dice = dice;
    this.#caches = lags ? new LaggingCaches(dice) : undefined;
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
    this.#set({});
  }

  get job(): FineTuneJob {
    return this.#observed.job;
  }

  get batchJobs(): V1Job[] {
    return this.#observed.batchJobs;
  }

  /** Train pods that run, or may do so yet. */
  get trainers(): V1Pod[] {
    return this.#observed.pods.filter((pod) => isTrain(pod) && hasLivePods({ pods: [pod] }));
  }

  get #running(): V1Pod[] {
    return this.trainers.filter(({ status }) => status?.phase === 'Running');
  }

  /** Seconds that trainers of the run ran. */
  get trained(): number {
    const ofRun = [...this.#ran.values()].filter(({ madeAt }) => madeAt >= after(this.#since).getTime());
    return ofRun.reduce((sum, { seconds }) => sum + seconds, 0);
  }

  /** Whether the run that the user wants has come to its end. */
  get isOver(): boolean {
    const { spec, status } = this.job;
    return status?.runId === spec.runId && status.completionTime !== undefined;
  }

  /** Pods that are there, and their Job is too. */
  get podsOfJobs(): V1Pod[] {
    const uids = this.batchJobs.map(({ metadata }) => metadata?.uid);
    return this.#observed.pods.filter((pod) => uids.includes(controllerOf(pod)?.uid));
  }

  /** Jobs and pods that there have been so far. */
  get made(): number {
    return this.#made;
  }

  /** An administrator takes the runtime away, or gives it back. */
  offerRuntime(offered: boolean): void {
    this.#set({ runtime: offered ? this.#runtime : undefined });
  }

  /** An administrator changes it; what is made of it already stays as it is. */
  changeRuntime(spec: object): void {
    this.#runtime = { ...this.#runtime, spec: { ...this.#runtime.spec, ...spec } };
    this.offerRuntime(this.#observed.runtime !== undefined);
  }

  change(spec: object): void {
    const { metadata, spec: before } = this.job;
    const generation = (metadata.generation ?? 0) + 1;
    this.#write({ ...this.job, metadata: { ...metadata, generation }, spec: { ...before, ...spec } });
  }

  /** The operator looks; its actions come true, and without the write of the status if it dies in between. */
  async look(dies = false): Promise<void> {
    const now = after(this.time);
    const cached = this.#caches?.show() ?? this.#visible;
    const { client } = worldClient(this.#observed);
    const signal = new AbortController().signal;
    const decided = await decideSurely(
      cached,
      (seen) => decide(seen, now),
      client,
      signal,
      after(this.#startedAt),
    );
    if (decided === undefined) return;
    const { job, plan } = decided;
    const isNewest = job.metadata.resourceVersion === this.job.metadata.resourceVersion;
    const writes = isNewest && !dies;
    this.#begin(plan, isNewest, writes);
    if (this.#carryOut(plan) && writes && !isDeepStrictEqual(plan.status, this.job.status)) {
      this.#write({ ...this.job, status: plan.status });
      this.#caches?.catchUp('job');
    }
    if (dies) this.#startAgain();
  }

  /** A run begins when it is decided on first; if its status was not written and the run before is wanted again, that goes on. */
  #begin({ status: { runId } }: Plan, isNewest: boolean, writes: boolean): void {
    const isStored = runId === this.job.status?.runId;
    if (isStored && isNewest) this.#begun.runId = undefined;
    if (!isStored && this.#begun.runId !== runId) this.#begun = { runId, at: this.time };
    if (!isStored && writes) this.#since = this.#begun.at;
  }

  /** What the API server and execute.ts make of the actions. @returns whether the status may be written */
  #carryOut(plan: Plan): boolean {
    for (const action of plan.actions) {
      if (action.kind !== 'create' && action.objectKind === 'FineTuneJob') {
        this.isGone = action.resourceVersion === this.job.metadata.resourceVersion;
        return false;
      }
      const target = this.batchJobs.find((job) => isTargetOf(action, job));
      const isThere = target !== undefined;
      // It is decided anew: the one of that name is being deleted.
      if (action.kind === 'create' && target?.metadata?.deletionTimestamp !== undefined) return false;
      if (action.kind === 'delete' && isThere && isKept(target)) {
        this.#replaceJob(target, leaving(target, after(this.time)));
        continue;
      }
      // A Job that is there under the name, or gone already, is what was wanted.
      if (isThere !== (action.kind === 'create')) this.#act(plan, action);
      this.#caches?.catchUp('batchJobs');
      if (action.kind === 'patch' && !isThere) return false;
    }
    return true;
  }

  #act(plan: Plan, action: Action): void {
    const { batchJobs } = comeTrue(this.#observed, { ...plan, actions: [action] });
    // A Job that is made again has the old name and a new UID.
    for (const job of batchJobs.filter((one) => !this.#knows(one)))
      job.metadata = { ...job.metadata, creationTimestamp: after(this.time), uid: `job-${this.#made++}` };
    this.#set({ batchJobs });
  }

  /** A new process of the operator has nothing in mind, and lists everything. */
  #startAgain(): void {
    this.#startedAt = this.time;
    this.#forgotten = this.#ended.length;
    this.#set({});
    this.#caches?.catchUp();
  }

  /** Somebody deletes a Job or a pod by hand. */
  vandalise(): void {
    const job = this.#pick(this.batchJobs);
    const pod = this.#pick(this.#observed.pods);
    if (this.#dice() < 0.5) this.#set({ batchJobs: this.batchJobs.filter((one) => one !== job) });
    else if (pod !== undefined) this.#askToStop(pod);
  }

  /** Somebody removes a Job and leaves its pods. */
  orphan(): void {
    const job = this.#pick(this.batchJobs);
    if (job === undefined) return;
    const pods = this.#observed.pods.map((pod) =>
      controllerOf(pod)?.uid === job.metadata?.uid
        ? { ...pod, metadata: { ...pod.metadata, ownerReferences: [] } }
        : pod,
    );
    this.#set({ pods });
    this.#replaceJob(job);
  }

  /** Somebody keeps a Job by a finalizer, and perhaps deletes it. */
  keep(): void {
    const job = this.#pick(this.batchJobs);
    if (job === undefined) return;
    const kept = { ...job, metadata: { ...job.metadata, finalizers: ['example.com/audit'] } };
    this.#replaceJob(job, this.#dice() < 0.5 ? leaving(kept, after(this.time)) : kept);
  }

  /** Nobody keeps a Job any more. */
  release(): void {
    for (const job of this.batchJobs.filter(isKept)) {
      const { finalizers: _, ...metadata } = job.metadata!;
      const next = { ...job, metadata };
      this.#replaceJob(job, ...(metadata.deletionTimestamp === undefined ? [next] : []));
    }
  }

  /** The node of a trainer goes away, and the cluster evicts its pods; it is back once all is well. */
  loseNode(): void {
    const pod = this.#pick(this.#running);
    if (pod === undefined) return;
    this.#lost.add(pod.metadata!.uid!);
    this.#askToStop(pod);
  }

  /** A queue admits or evicts. */
  queue(suspend: boolean): void {
    this.#set({ batchJobs: this.batchJobs.map((job) => (isQueued(job) ? withSuspend(job, suspend) : job)) });
  }

  /** Time goes on and the cluster with it. */
  step(seconds: number, mood: Mood): void {
    this.time += seconds;
    for (const { metadata } of this.#running) {
      const madeAt = millis(metadata!.creationTimestamp)!;
      const before = this.#ran.get(metadata!.uid!)?.seconds ?? 0;
      this.#ran.set(metadata!.uid!, { madeAt, seconds: before + seconds });
    }
    for (const pod of this.#observed.pods) this.#kubelet(pod, mood);
    this.#collectGarbage(mood);
    this.#set({ batchJobs: this.batchJobs.map((job) => this.#jobController(job)) });
    const [trainer] = this.#running;
    const podUid = trainer?.metadata?.uid;
    const value = podUid && progressOf(podUid, { runId: trainer!.metadata!.labels!['finetune.dev/run']! });
    this.#set({ progress: value ? { podUid: podUid!, at: after(this.time), value } : undefined });
  }

  #set(changes: Partial<Observed>): void {
    this.#observed = { ...this.#observed, ...changes };
    this.#caches?.note(this.#visible);
  }

  /** What the operator would see if no cache lagged behind. */
  get #visible(): Observed {
    return { ...this.#observed, pods: [...this.#observed.pods, ...this.#ended.slice(this.#forgotten)] };
  }

  /** As the API server stores it. */
  #write(job: FineTuneJob): void {
    this.#set({ job: { ...job, metadata: { ...job.metadata, resourceVersion: `${++this.#version}` } } });
  }

  #knows({ metadata }: V1Job): boolean {
    return this.batchJobs.some((job) => job.metadata?.uid === metadata?.uid);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#dice() * items.length)];
  }

  #replaceJob(job: V1Job, ...next: V1Job[]): void {
    this.#set({ batchJobs: this.batchJobs.flatMap((one) => (one === job ? next : [one])) });
  }

  #replace(pod: V1Pod, next: V1Pod | undefined): void {
    this.#set({ pods: this.#observed.pods.flatMap((one) => (one === pod ? (next ?? []) : one)) });
  }

  #askToStop(pod: V1Pod): void {
    if (pod.metadata?.deletionTimestamp !== undefined) return;
    const deletionTimestamp = after(this.time + graceSeconds);
    this.#replace(pod, { ...pod, metadata: { ...pod.metadata, deletionTimestamp } });
  }

  #kubelet(pod: V1Pod, mood: Mood): void {
    if (mood === 'well') this.#lost.clear();
    if (this.#lost.has(pod.metadata!.uid!)) return;
    const next = kubelet(pod, { dice: this.#dice, mood, time: this.time, ahead: this.#ahead });
    if (next === undefined) this.#ended.push(pod);
    if (next !== pod) this.#replace(pod, next);
  }

  /** Pods of a Job that is gone are asked to stop, sooner or later. */
  #collectGarbage(mood: Mood): void {
    const uids = new Set(this.batchJobs.map(({ metadata }) => metadata?.uid));
    for (const pod of this.#observed.pods) {
      const owner = controllerOf(pod);
      if (owner === undefined || uids.has(owner.uid)) continue;
      if (mood !== 'badly' || this.#dice() < 0.5) this.#askToStop(pod);
    }
  }

  #jobController(before: V1Job): V1Job {
    const pods = [...this.#observed.pods, ...this.#ended].filter(
      (pod) => controllerOf(pod)?.uid === before.metadata!.uid,
    );
    const { job, stop, isShort } = control(before, pods, after(this.time));
    for (const pod of stop) this.#askToStop(pod);
    const isLeaving = job.metadata?.deletionTimestamp !== undefined;
    if (isShort && !isLeaving && this.#dice() < 0.7) this.#makePod(job);
    return job;
  }

  #makePod(job: V1Job): void {
    const pod = aPod(
      job,
      `pod-${this.#made++}`,
      { phase: 'Pending' },
      {
        creationTimestamp: after(this.time),
        labels: { ...job.metadata?.labels, [labels.batchJob]: job.metadata?.name },
      },
    );
    this.#set({ pods: [...this.#observed.pods, pod] });
  }
}

function isKept({ metadata }: V1Job): boolean {
  return (metadata?.finalizers ?? []).length > 0;
}

function leaving(job: V1Job, deletionTimestamp: Date): V1Job {
  return { ...job, metadata: { deletionTimestamp, ...job.metadata } };
}

function isTargetOf(action: Action, { metadata }: V1Job): boolean {
  return action.kind === 'create'
    ? action.object.metadata?.name === metadata?.name
    : action.uid === metadata?.uid;
}
