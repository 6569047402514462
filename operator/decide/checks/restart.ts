/** A Job that is over or deleted, although its run is not, goes; the next pass finds none and makes it again. */
import type { Ending } from '../ending.ts';
import { millis } from '../present.ts';
import type { Run } from '../run.ts';
import type { StageView } from '../stage.ts';
import { lostWhileStopping } from '../stopping.ts';
import { deleteJob, type Verdict } from '../verdict.ts';
import { endKept } from './ended.ts';

/** The pause keeps a pod that is stopped again and again from making a hot loop. */
const pauseMs = 10_000;

export function restart({ job, state }: StageView, now: Date, verdict: Verdict): Verdict {
  const left = (state.at === 'lost' ? endOf(state.ending, now) : 0) + pauseMs - now.getTime();
  if (left > 0) return { ...verdict, requeueAfterMs: left };
  return { ...verdict, actions: job === undefined ? [] : [deleteJob(job, verdict.message)] };
}

/** The Job was deleted by somebody else: what holds it up until it is gone. */
export function leaving(run: Run, { job, pods }: StageView, { message, ...verdict }: Verdict): Verdict {
  const why = lostWhileStopping(run);
  return { ...verdict, message: why ? `${message} ${why}` : message, actions: endKept(job, pods) };
}

/** Milliseconds. Where the clock of the node is ahead, its pod ended in the future: then the pause counts from its creation. */
function endOf(ending: Ending | undefined, now: Date): number {
  const endedAt = millis(ending?.finishedAt) ?? 0;
  if (endedAt <= now.getTime()) return endedAt;
  return millis(ending?.pod.metadata?.creationTimestamp) ?? 0;
}
