import type { Progress, Result, RunConfig } from '../crds/trainer-contract.ts';
import type { LogFields, LogLevel } from './log.ts';

/** What the worker thread is started with. */
export type WorkerInput = {
  command: 'preflight' | 'train';
  config: RunConfig;
  workDirectory: string;
  tensorflowDirectory: string;
  /** One Int32 that the main thread sets to 1 when the pod has to stop: readable while a graph call blocks the loop. */
  stopFlag: SharedArrayBuffer;
};

/** The identity of run and pod, which the main thread adds to all that leaves the process. */
export type Speaker = Pick<Progress, 'contractVersion' | 'jobUid' | 'runId' | 'podUid'>;

/** Progress as the worker tells it: only what changed. */
export type ProgressUpdate = Partial<Omit<Progress, keyof Speaker>> & { gradientNorm?: number };

type WithoutSpeaker<R> = R extends Result ? Omit<R, keyof Speaker> : never;
/** A result that does not say yet who speaks. */
export type Outcome = WithoutSpeaker<Result>;
export type OutcomeOf<O extends Outcome['outcome']> = Extract<Outcome, { outcome: O }>;

export type WorkerMessage =
  | { kind: 'log'; level: LogLevel; message: string; fields: LogFields }
  | { kind: 'progress'; update: ProgressUpdate }
  | { kind: 'outcome'; outcome: Outcome };
