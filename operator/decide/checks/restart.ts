/** A Job that is over, although its run is not, is deleted; the next pass finds none and makes it again. */
import { millis } from '../present.ts';
import type { StageView } from '../stage.ts';
import { deleteJob, type Verdict } from '../verdict.ts';

/** The pause keeps a pod that is stopped again and again from making a hot loop. */
const pauseMs = 10_000;

export function restart({ job, state }: StageView, now: Date, verdict: Verdict): Verdict {
  const endedAt = state.at === 'lost' ? millis(state.ending?.finishedAt) : undefined;
  const left = (endedAt ?? 0) + pauseMs - now.getTime();
  if (left > 0) return { ...verdict, requeueAfterMs: left };
  return { ...verdict, actions: job === undefined ? [] : [deleteJob(job, verdict.message)] };
}
