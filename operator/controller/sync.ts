/** One pass over one job: observe, decide, execute. */
import { type JobPhase, jobEnds } from '../../crds/status.schema.ts';
import type { FineTuneJob, Plan } from '../decide/plan.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Decide, decideSurely } from './certainty.ts';
import { type ExecuteDependencies, execute } from './execute.ts';
import { type ObserveDependencies, observe } from './observe.ts';
import type { Poller } from './poller.ts';
import type { JobSeries } from './series.ts';

export type SyncDependencies = ExecuteDependencies &
  Pick<ObserveDependencies, 'caches'> & {
    decide: Decide;
    poller: Poller;
    series: JobSeries;
    metrics: Pick<Metrics, 'finishedJobs' | 'statusWrites'>;
  };

/** What the queue does with the key next. */
export type Verdict = { kind: 'done' } | { kind: 'again' } | { kind: 'after'; ms: number };

const final: readonly (JobPhase | undefined)[] = jobEnds;

export class Sync {
  readonly #dependencies: SyncDependencies;
  /** UID of the job that was last seen under a key. */
  readonly #uids = new Map<string, string>();
  /** When the first pass was made: until then another process may have led. */
  #since: Date | undefined;

  constructor(dependencies: SyncDependencies) {
    this.#dependencies = dependencies;
  }

  /** @param key "namespace/name" of the job */
  async pass(key: string, log: Log, signal: AbortSignal): Promise<Verdict> {
    const { client, caches, memory, poller, decide } = this.#dependencies;
    this.#since ??= new Date();
    const cachedUid = caches.jobs.get(key)?.metadata.uid ?? '';
    const behindMs = memory.behindMs(cachedUid, (resource, name) => caches.find(resource, name));
    if (behindMs > 0) return { kind: 'after', ms: behindMs };
    const progressOf = (uid: string) => poller.progressOf(uid);
    const observed = await observe(key, { caches, memory, progressOf }, signal);
    this.#forgetOthers(key, observed?.job);
    if (observed === undefined) return { kind: 'done' };
    const { uid } = observed.job.metadata;
    const jobLog = log.child({ uid });
    const decided = await decideSurely(observed, decide, client, signal, this.#since);
    if (decided === undefined) return { kind: 'done' };
    const { job, plan } = decided;
    const { poll } = plan;
    const target = poll && { jobUid: uid, runId: job.spec.runId, podUid: poll.podUid, ip: poll.ip };
    // Before anything is written: a trainer answers while the API server is away, and may be gone when it is back.
    if (target !== undefined) poller.target(key, uid, target);
    const outcome = await execute(job, plan, this.#dependencies, jobLog, signal);
    if (outcome === 'again') return { kind: 'again' };
    if (outcome === 'refused') return { kind: 'after', ms: 0 };
    if (outcome === 'wrote') this.#count(job, plan);
    else if (outcome === 'unchanged' && plan.status.completionTime !== undefined) memory.rest(uid);
    this.#dependencies.series.show(key, job, plan.status, poll?.podUid);
    // After it: what the trainer said last is known until the status tells it.
    if (target === undefined) poller.target(key, uid, undefined);
    const laterMs = typeof outcome === 'object' ? outcome.laterMs : Number.POSITIVE_INFINITY;
    const ms = Math.min(plan.requeueAfterMs ?? Number.POSITIVE_INFINITY, laterMs);
    return Number.isFinite(ms) ? { kind: 'after', ms } : { kind: 'done' };
  }

  #count(job: FineTuneJob, { status }: Plan): void {
    const { finishedJobs, statusWrites } = this.#dependencies.metrics;
    statusWrites.inc();
    const { phase, runId } = status;
    const before = job.status?.runId === runId ? job.status?.phase : undefined;
    if (phase !== undefined && final.includes(phase) && !final.includes(before))
      finishedJobs.inc({ outcome: phase });
  }

  /** Lets go of the job that was known under the key, if it is not this one. */
  #forgetOthers(key: string, job: FineTuneJob | undefined): void {
    const { memory, poller, series } = this.#dependencies;
    const known = this.#uids.get(key);
    const uid = job?.metadata.uid;
    if (known !== undefined && known !== uid) {
      memory.forget(known);
      poller.target(key, known, undefined);
      series.remove(key);
    }
    if (uid === undefined) this.#uids.delete(key);
    else this.#uids.set(key, uid);
  }
}
