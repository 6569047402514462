/** The loop: workers take keys from the queue, run a pass over each and say when it is due again. */
import { randomUUID } from 'node:crypto';
import { setImmediate as otherWork } from 'node:timers/promises';
import { ApiError, isKind } from '../kube/errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Queue } from './queue.ts';
import type { Verdict } from './sync.ts';

export const controllerName = 'finetunejob';

/** No pass may take longer: its requests are then given up and the key comes again. */
const passLimitMs = 120_000;
/** A pass that is still under way so long after its limit will never end. */
export const stuckAfterMs = passLimitMs + 60_000;

type Options = {
  queue: Queue;
  pass: (key: string, log: Log, signal: AbortSignal) => Promise<Verdict>;
  log: Log;
  workers: number;
  metrics: Pick<
    Metrics,
    'reconciles' | 'reconcileErrors' | 'reconcileSeconds' | 'activeWorkers' | 'maxReconciles'
  >;
};

export class Controller {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Works until the queue is stopped and the passes under way have ended. `signal` gives up what is under way. */
  async run(signal: AbortSignal): Promise<void> {
    const { workers, metrics } = this.#options;
    metrics.maxReconciles.set({ controller: controllerName }, workers);
    await Promise.all(Array.from({ length: workers }, () => this.#work(signal)));
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue, metrics } = this.#options;
    const labels = { controller: controllerName };
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      metrics.activeWorkers.inc(labels);
      const end = metrics.reconcileSeconds.startTimer(labels);
      try {
        await this.#pass(key, signal);
      } finally {
        end();
        metrics.activeWorkers.dec(labels);
        queue.done(key);
      }
      // A pass that asks for nothing gives nobody else a turn: thousands of them in a row would cost the lease.
      await otherWork();
    }
  }

  async #pass(key: string, signal: AbortSignal): Promise<void> {
    const { queue, pass } = this.#options;
    const [namespace, job] = key.split('/');
    const log = this.#options.log.child({ namespace, job, reconcileId: randomUUID().slice(0, 8) });
    const limit = new AbortController();
    const giveUp = () => limit.abort();
    const timer = setTimeout(giveUp, passLimitMs);
    signal.addEventListener('abort', giveUp);
    try {
      this.#settle(key, await pass(key, log, limit.signal));
    } catch (error) {
      if (signal.aborted) return;
      queue.retry(key, error instanceof ApiError ? error.retryAfterMs : undefined);
      if (isKind(error, 'Conflict')) {
        // Somebody wrote in between: no failure, the next pass sees it.
        this.#count('requeue');
        log.debug('conflict, will decide anew', { error: error.message });
      } else {
        this.#options.metrics.reconcileErrors.inc({ controller: controllerName });
        this.#count('error');
        log.error('pass failed, will retry', { error: describe(error) });
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
  }

  #settle(key: string, verdict: Verdict): void {
    const { queue } = this.#options;
    if (verdict.kind === 'again') {
      // Counts as a failure, so that a disagreement that does not end is no hot loop.
      queue.retry(key);
      this.#count('requeue');
      return;
    }
    queue.forget(key);
    if (verdict.kind === 'after') queue.add(key, verdict.ms);
    this.#count(verdict.kind === 'after' ? 'requeue_after' : 'success');
  }

  #count(result: 'success' | 'error' | 'requeue' | 'requeue_after'): void {
    this.#options.metrics.reconciles.inc({ controller: controllerName, result });
  }
}

/** An API error says it all in its message; anything else is a defect, and its stack is wanted. */
function describe(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
