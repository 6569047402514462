/** spec.ttlSecondsAfterFinished: the FineTuneJob goes some time after its end, and what it made in the cluster with it. */
import type { Action, FineTuneJob, Plan } from '../plan.ts';
import { millis } from '../present.ts';

/** What has to be done about the time that the object of an ended run has left: nothing, wait, or delete it. */
export function expiry({ metadata, spec, apiVersion, kind, status }: FineTuneJob, now: Date): Partial<Plan> {
  const endedAt = millis(status?.completionTime);
  if (spec.ttlSecondsAfterFinished === undefined || endedAt === undefined) return {};
  // The end may be said long after it: nobody has seen the result of a run that ended while the operator was away.
  const saidAt = millis(status?.conditions?.find(({ type }) => type === 'Complete')?.lastTransitionTime);
  const since = Math.max(endedAt, saidAt ?? endedAt);
  const left = since + spec.ttlSecondsAfterFinished * 1000 - now.getTime();
  if (left > 0) return { requeueAfterMs: left };
  const { name, uid, resourceVersion } = metadata;
  const action: Action = {
    kind: 'delete',
    apiVersion,
    objectKind: kind,
    name,
    uid,
    because: `its end was said more than ${spec.ttlSecondsAfterFinished} s ago`,
    // A longer time or a new run that was asked for a moment ago must win.
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
  return { actions: [action] };
}
