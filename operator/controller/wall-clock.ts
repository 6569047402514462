/**
 * Deadlines are times of the wall clock, and who waits for one sleeps by a clock that only grows: when the wall clock is set,
 * or the machine was suspended, all would wake late by as much.
 */
import { type Clock, wait } from '../kube/clock.ts';

const lookMs = 10_000;
/** Clocks that run at slightly unlike speed come so far apart only in hours. */
const noticeableMs = 2000;

type Options = {
  clock: Clock;
  wallNow?: () => number;
  /** The wall clock has moved by so much beside the time that has passed. */
  onStep: (ms: number) => void;
};

/** Compares the two now and then, until the signal fires. */
export async function watchWallClock(
  { clock, wallNow = Date.now, onStep }: Options,
  signal: AbortSignal,
): Promise<void> {
  const apart = () => wallNow() - clock.now();
  let known = apart();
  while (!signal.aborted) {
    await wait(clock, lookMs, signal);
    const ms = apart() - known;
    if (Math.abs(ms) < noticeableMs) continue;
    known += ms;
    onStep(ms);
  }
}
