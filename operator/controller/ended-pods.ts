/**
 * Pods that ended and were removed, perhaps between two passes: what a trainer says at its end, such as the checkpoint that
 * it saved when it was stopped, nobody says again.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { endingOf, nobody } from '../decide/ending.ts';

/** A job that is preempted for weeks does not fill the memory. */
const keptOfEachJob = 10;

export class EndedPods {
  readonly #byJob = new Map<string, V1Pod[]>();

  /** Keeps a pod that is gone, if it had ended. */
  keep(jobUid: string, pod: V1Pod): void {
    if (endingOf(pod, nobody) === undefined) return;
    this.#byJob.set(jobUid, [...this.of(jobUid), pod].slice(-keptOfEachJob));
  }

  of(jobUid: string): readonly V1Pod[] {
    return this.#byJob.get(jobUid) ?? [];
  }

  /** The job is gone. */
  forget(jobUid: string): void {
    this.#byJob.delete(jobUid);
  }
}
