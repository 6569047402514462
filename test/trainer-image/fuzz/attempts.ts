/** The thread in which cases are tried; watch.ts starts it. */
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { attempt, type Target } from './target.ts';

/** Which cases of which target, of those that `module` exports as `targets`. */
export type Task = {
  module: string;
  target: string;
  seed: number;
  from: number;
  to: number;
  shared: Float64Array;
};
/** Places in the shared memory, which is there for the watching thread even when this one hangs or dies. */
export const at = { index: 0, refused: 1, slowestMs: 2, length: 3 } as const;
export type Crash = { index: number; error: string };

if (parentPort !== null) {
  const { module, target: name, seed, from, to, shared } = workerData as Task;
  const { targets } = (await import(module)) as { targets: readonly Target[] };
  const target = targets.find((candidate) => candidate.name === name);
  if (target === undefined) throw new Error(`no target "${name}" in ${module}`);
  for (let index = from; index < to; index++) {
    shared[at.index] = index;
    const started = performance.now();
    const { refused, error } = await attempt(target, seed, index);
    shared[at.slowestMs] = Math.max(shared[at.slowestMs] as number, performance.now() - started);
    if (refused) shared[at.refused] = (shared[at.refused] as number) + 1;
    if (error !== undefined) parentPort.postMessage({ index, error: inspect(error) } satisfies Crash);
  }
}
