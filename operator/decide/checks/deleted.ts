/**
 * A FineTuneJob that is being deleted. As a rule it is gone at once, and its children go after it. A finalizer of somebody
 * else may keep it for long, and them with it: no limit would end a trainer any more.
 */
import type { Action } from '../plan.ts';
import type { Run } from '../run.ts';
import { endLiveJobs } from './ended.ts';
import { deleteFormerJobs } from './former-run.ts';

/** With one of these the garbage collector has the children in hand: it lets them go, or removes them first. */
const collectors = ['orphan', 'foregroundDeletion'];

/** Ends what runs for a job that somebody keeps. */
export function endWhileKept(run: Run): Action[] {
  const { finalizers = [] } = run.job.metadata;
  if (finalizers.length === 0 || finalizers.some((each) => collectors.includes(each))) return [];
  return [...deleteFormerJobs(run), ...endLiveJobs(run)];
}
