/**
 * Pods that ended and were removed, perhaps between two passes: what a trainer says at its end, such as the checkpoint that
 * it saved when it was stopped, nobody says again.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { isOver } from '../decide/ending.ts';

/** A job that is preempted for weeks does not fill the memory. */
const keptOfEachJob = 10;

export class EndedPods {
  readonly #byJob = new Map<string, V1Pod[]>();

  /**
   * Keeps a pod that is gone, if it had ended.
   * @param owner namespace and UID of the job
   */
  keep(owner: string, pod: V1Pod): void {
    if (!isOver(pod)) return;
    this.#byJob.set(owner, [...this.of(owner), pod].slice(-keptOfEachJob));
  }

  of(owner: string): readonly V1Pod[] {
    return this.#byJob.get(owner) ?? [];
  }

  /** The job is gone, or its run is over. */
  forget(owner: string): void {
    this.#byJob.delete(owner);
  }
}
