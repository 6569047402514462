import type { RunConfig } from '../../crds/trainer-contract.ts';
import type { Log } from '../log.ts';
import type { ProgressUpdate } from '../messages.ts';

/** What the recipe needs from the world around it. */
export type Context = {
  config: RunConfig;
  /** Local folder for downloads, checkpoints and results; empty at the start. */
  workDirectory: string;
  tensorflowDirectory: string;
  log: Log;
  report(update: ProgressUpdate): void;
  /** Seconds spent in each phase so far. */
  timings(): Record<string, number>;
  /** True once the pod has been asked to stop. */
  stopRequested(): boolean;
};

/** Thrown where work is broken off because the pod has to stop; the recipe then saves and ends. */
export class StopRequested extends Error {}
