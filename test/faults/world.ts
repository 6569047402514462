/** One namespace of a run, as the scripts see and change it. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels } from '../../operator/manifests/names.ts';
import { type Changes, job as smallestJob } from '../crds/objects.ts';
import { endedStatus } from '../operator/builders.ts';
import { type Collection, collections, type DirectApi, pathOf } from './direct-api.ts';
import type { Identity } from './endings.ts';
import type { End } from './kubelet.ts';
import type { Replica } from './replica.ts';
import type { Scene } from './witness.ts';

/** A step that only keeps the runs alike waits no longer than this. */
const paceMs = 60_000;

type Options = {
  api: DirectApi;
  scene: Scene;
  namespace: string;
  end: AbortSignal;
  /** Time for each step that has to come. */
  patienceMs: number;
};

export class World {
  readonly api: DirectApi;
  readonly scene: Scene;
  readonly namespace: string;
  /** The world waits until the operator has noticed each step; when this is set it goes on at once. */
  #goesOn = false;
  readonly #looks = new Set<() => void>();
  /** The operator, or all of them. */
  operators: readonly Pick<Replica, 'start' | 'stop'>[] = [];
  readonly #end: AbortSignal;
  readonly #patienceMs: number;

  constructor(options: Options) {
    this.api = options.api;
    this.scene = options.scene;
    this.namespace = options.namespace;
    this.#end = options.end;
    this.#patienceMs = options.patienceMs;
  }

  job(name = 'spam'): FineTuneJob | undefined {
    return this.scene.of<FineTuneJob>('FineTuneJob').findLast(({ metadata }) => metadata.name === name);
  }

  batchJob(stage: string): V1Job | undefined {
    return this.scene.of<V1Job>('Job').findLast(({ metadata }) => metadata?.labels?.[labels.stage] === stage);
  }

  trainers(): V1Pod[] {
    return this.scene.of<V1Pod>('Pod').filter(({ metadata }) => metadata?.labels?.[labels.stage] === 'train');
  }

  /** Reason of the condition Ready: what the operator says about the job. */
  says(reason: string): boolean {
    return (
      this.job()?.status?.conditions?.some((one) => one.type === 'Ready' && one.reason === reason) === true
    );
  }

  create(changes: Changes = {}): Promise<FineTuneJob> {
    const object = smallestJob({ 'metadata.namespace': this.namespace, ...changes });
    return this.api.call('POST', pathOf(collections.fineTuneJobs, this.namespace), object);
  }

  async change(collection: Collection, name: string, patch: object): Promise<void> {
    await this.api.call('PATCH', pathOf(collection, this.namespace, name), patch);
  }

  async setSpec(spec: object): Promise<void> {
    await this.change(collections.fineTuneJobs, 'spam', { spec });
  }

  async remove(
    collection: Collection,
    name: string,
    propagationPolicy: 'Background' | 'Orphan' = 'Background',
  ): Promise<void> {
    await this.api.call('DELETE', pathOf(collection, this.namespace, name), { propagationPolicy });
  }

  /** Until the run has ended and said so. */
  ended(runId = '1'): Promise<void> {
    const over = () => {
      const { status } = this.job() ?? {};
      return status?.completionTime !== undefined && status.runId === runId;
    };
    return this.until(`run ${runId} has ended`, over);
  }

  /** Resolves when it holds. @throws Error when it does not in time */
  async until(what: string, holds: () => boolean): Promise<void> {
    if (await this.#wait(holds, this.#patienceMs)) return;
    throw new Error(`not within ${this.#patienceMs} ms: ${what}`);
  }

  /** Until the operator has noticed, or for a while. */
  async noticed(holds: () => boolean): Promise<void> {
    await this.#wait(() => this.#goesOn || holds(), paceMs);
  }

  /** The newest trainer ends like this, by itself. */
  async endTrainer(end: (identity: Identity) => End): Promise<void> {
    const { name = '', uid = '', labels: own = {} } = this.trainers().at(-1)?.metadata ?? {};
    const identity = { podUid: uid, jobUid: own[labels.jobUid] ?? '', runId: own[labels.run] ?? '' };
    const { exitCode, message, reason } = end(identity);
    const path = `${pathOf(collections.pods, this.namespace, name)}/status`;
    await this.api.call('PATCH', path, { status: endedStatus(exitCode, message, reason) });
  }

  /** While no operator runs. */
  async unattended(act: () => Promise<void>): Promise<void> {
    await Promise.all(this.operators.map((operator) => operator.stop()));
    try {
      await act();
    } finally {
      for (const operator of this.operators) operator.start();
    }
  }

  /** From now on nothing waits for the operator. */
  goOn(): void {
    this.#goesOn = true;
    for (const look of this.#looks) look();
  }

  #wait(holds: () => boolean, limitMs: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (answer: boolean) => {
        clearTimeout(timer);
        this.scene.listeners.delete(look);
        this.#looks.delete(look);
        this.#end.removeEventListener('abort', giveUp);
        resolve(answer);
      };
      const look = () => holds() && finish(true);
      const giveUp = () => finish(false);
      const timer = setTimeout(giveUp, limitMs);
      this.scene.listeners.add(look);
      this.#looks.add(look);
      this.#end.addEventListener('abort', giveUp);
    });
  }
}
