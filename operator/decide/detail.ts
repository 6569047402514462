/** What of a status may wait to be written: what the next transition is likely to tell as well. */
import type { Reason } from '../../crds/conditions.ts';
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';
import { mainReason } from './conditions.ts';

/**
 * The status without what an ordinary wait is for, and without the node: a healthy pod gets its place, its volumes and its
 * image within seconds, and the next transition says so by itself. undefined = a person should know, all of it matters.
 */
export function withoutDetails(status: FineTuneJobStatus): object | undefined {
  const { conditions, attempt, ...rest } = status;
  if (rest.failure !== undefined) return undefined;
  return {
    ...rest,
    conditions: conditions?.map(({ message: _, ...condition }) => condition),
    ...(attempt && { attempt: { ...attempt, nodeName: undefined } }),
  };
}

/** The stages, each with the steps of a healthy one in their order. */
const ways: readonly (readonly Reason[])[] = [
  ['PreflightPending', 'PreflightRunning'],
  ['TrainingQueued', 'TrainingPending', 'TrainingRunning'],
];

/**
 * Whether a stage came forward on its way, or stayed where it was, with the pod that it had or its first one. Time that counts
 * is no step: a limit that is reached is acted on once it is told.
 */
export function isStep(before: FineTuneJobStatus, after: FineTuneJobStatus): boolean {
  const isForward = ways.some((way) => {
    const from = way.indexOf(mainReason(before) as Reason);
    return from >= 0 && way.slice(from).some((reason) => reason === mainReason(after));
  });
  const sameTime = (before.usage?.activeSeconds ?? 0) === (after.usage?.activeSeconds ?? 0);
  return isForward && sameTime && (before.attempt?.podUID ?? after.attempt?.podUID) === after.attempt?.podUID;
}

/** The status without what a step changes: a report, an answer of the trainer, a new spec or an end are no steps. */
export function withoutSteps(status: FineTuneJobStatus): object {
  const { phase, conditions, attempt, usage, waitingSince, ...rest } = status;
  return rest;
}
