/** Tries the cases of a target in a thread of its own, which may hang or run out of memory. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { at, type Crash, type Task } from './attempts.ts';

/** What came of a target. */
export type Findings = {
  cases: number;
  /** Cases that were refused with the failure that they should have. */
  refused: number;
  /** Cases that ended in anything else than a value or that failure, and those that took too much memory. */
  crashes: Crash[];
  /** Cases that were given up. */
  hangs: number[];
  slowestMilliseconds: number;
};

export type Watch = {
  /** A case that takes longer hangs. */
  hangSeconds: number;
  /** Most of what is on the heap of JavaScript. A single value beyond it ends the whole process. */
  heapMegabytes: number;
  /** Told now and then how many cases are done. */
  onProgress?: (done: number) => void;
};

const thread = new URL('./attempts.ts', import.meta.url);

/** Tries `cases` cases of a target. One that hangs or ends its thread is counted, and the next thread goes on behind it. */
export async function fuzz(
  { cases, ...of }: Pick<Task, 'module' | 'target' | 'seed'> & { cases: number },
  watch: Watch,
): Promise<Findings> {
  const shared = new Float64Array(new SharedArrayBuffer(at.length * Float64Array.BYTES_PER_ELEMENT));
  const crashes: Crash[] = [];
  const hangs: number[] = [];
  for (let next = 0; next < cases; ) {
    const end = await leg({ ...of, from: next, to: cases, shared }, crashes, watch);
    if (end === 'hang') hangs.push(shared[at.index] as number);
    next = end === 'done' ? cases : (shared[at.index] as number) + 1;
  }
  const [refused, slowestMilliseconds] = [shared[at.refused] as number, shared[at.slowestMs] as number];
  return { cases, refused, crashes, hangs, slowestMilliseconds };
}

/** One thread, until it is done, dies or hangs. */
async function leg(task: Task, crashes: Crash[], watch: Watch): Promise<'done' | 'died' | 'hang'> {
  // Until the thread has loaded what it tries.
  const loading = task.from - 1;
  task.shared[at.index] = loading;
  const resourceLimits = { maxOldGenerationSizeMb: watch.heapMegabytes };
  const worker = new Worker(thread, { workerData: task, resourceLimits });
  worker.on('message', (crash: Crash) => crashes.push(crash));
  const ended = once(worker, 'exit').then(
    () => 'done' as const,
    (error: Error) => {
      if (task.shared[at.index] === loading) throw error;
      crashes.push({ index: task.shared[at.index] as number, error: String(error) });
      return 'died' as const;
    },
  );
  for (let seen = loading; ; ) {
    const timer = new AbortController();
    const waited = sleep(watch.hangSeconds * 1000, 'waited' as const, { signal: timer.signal });
    const end = await Promise.race([ended, waited]);
    timer.abort();
    if (end !== 'waited') return end;
    if (task.shared[at.index] === seen && seen !== loading) {
      // Native code cannot be stopped: nobody waits for the thread.
      void worker.terminate();
      return 'hang';
    }
    seen = task.shared[at.index] as number;
    if (seen !== loading) watch.onProgress?.(seen);
  }
}
