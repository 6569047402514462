/** What is left of an earlier run, or of a Job that somebody deleted, goes before anything new starts. */
import { labels } from '../../manifests/names.ts';
import type { Action } from '../plan.ts';
import type { Run } from '../run.ts';
import { lostWhileStopping } from '../stopping.ts';
import { type Check, deleteJob } from '../verdict.ts';
import { endKept } from './ended.ts';

/** In case nobody reports the end of a pod whose Job is gone. */
const requeueAfterMs = 10_000;

/** Whatever becomes of the run: an earlier one does not go on beside it. */
export function deleteFormerJobs({ formerJobs, strays, job }: Run): Action[] {
  return formerJobs.flatMap((former) =>
    former.metadata?.deletionTimestamp === undefined
      ? [deleteJob(former, `it belongs to an earlier run than "${job.spec.runId}"`)]
      : endKept(former, strays),
  );
}

/** Two trainers must never be alive at once: a new Job waits until the pods of the old one are gone. */
export const formerPodsLive: Check = (run) => {
  const { formerJobs, strays, missing, job } = run;
  const leaving = formerJobs.length > 0;
  if (!leaving && (strays.length === 0 || missing === undefined)) return undefined;
  const earlier = strays.some(({ metadata }) => metadata?.labels?.[labels.run] !== job.spec.runId);
  const names = strays.map(({ metadata }) => metadata?.name).slice(0, 3);
  const wait =
    names.length === 0
      ? 'Jobs of an earlier run are being deleted.'
      : `Waits for earlier pods to end: ${names.join(', ')}.`;
  const message = `${wait} ${lostWhileStopping(run) ?? ''}`.trim();
  return {
    phase: 'Pending',
    reason: leaving || earlier ? 'NewRun' : 'Waiting',
    message,
    requeueAfterMs,
  };
};
