/**
 * spec.suspend. A Job without a queue is suspended and resumed in place, and marked so that a hold by anybody else is
 * not undone. A Job with a queue is deleted and made anew on resume: a queue that has admitted it would set suspend
 * back to false at once, and only the end of the Job gives its quota back. Either way the trainer saves a checkpoint.
 */
import type { V1Job } from '@kubernetes/client-node';
import { annotations } from '../../manifests/names.ts';
import type { Action } from '../plan.ts';
import { endedAs, heldByUser, isQueued, type StageView } from '../stage.ts';
import { type Check, deleteJob, patchOf } from '../verdict.ts';

export const suspendedByUser: Check = ({ job, preflight, train, report }) => {
  if (!job.spec.suspend) return undefined;
  const stage = report === undefined ? preflight : train;
  // The end came first: it stands.
  if (stage.state.at === 'reached' || stage.state.at === 'failed') return undefined;
  if (report !== undefined && job.spec.dryRun) return undefined;
  const live = stage.pods.some(({ status }) => status?.phase === 'Pending' || status?.phase === 'Running');
  const checkpoint = report === undefined ? '' : ' after a checkpoint';
  const message = live ? `The pod stops${checkpoint}.` : 'Set spec.suspend to false to go on.';
  return { phase: 'Suspended', reason: 'SuspendedByUser', message, actions: hold(stage) };
};

function hold({ job }: StageView): Action[] {
  if (job === undefined || job.metadata?.deletionTimestamp !== undefined || endedAs(job)) return [];
  if (isQueued(job)) return [deleteJob(job, 'spec.suspend is true; its queue gets the quota back')];
  if (job.spec?.suspend === true && heldByUser(job)) return [];
  return [patchOf(job, mark('true', true))];
}

/** Undoes what the operator did; a Job that somebody else holds is left alone. */
export function resume(job: V1Job): Action {
  return patchOf(job, mark(null, false));
}

function mark(value: 'true' | null, suspend: boolean): object {
  return { metadata: { annotations: { [annotations.heldByUser]: value } }, spec: { suspend } };
}
