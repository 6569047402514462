/** What of a status may wait a moment to be written: the ordinary steps on the way from one transition to the next. */
import type { FineTuneJobStatus } from '../../crds/status.schema.ts';

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
