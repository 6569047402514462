/** Entry of the worker thread: does the work of one command and tells the main thread by messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { outcomeOfError } from './failure-outcome.ts';
import { logTo } from './log.ts';
import type { Outcome, WorkerInput, WorkerMessage } from './messages.ts';
import { preflight } from './preflight.ts';
import type { Context } from './run/context.ts';
import { createPhaseClock } from './run/phase-clock.ts';
import { train } from './train.ts';

const input = workerData as WorkerInput;
const stop = new Int32Array(input.stopFlag);
const send = (message: WorkerMessage) => parentPort?.postMessage(message);
const clock = createPhaseClock();
let step: number | undefined;

const context: Context = {
  config: input.config,
  workDirectory: input.workDirectory,
  tensorflowDirectory: input.tensorflowDirectory,
  log: logTo((level, message, fields) => send({ kind: 'log', level, message, fields })),
  report(update) {
    step = update.step ?? step;
    if (update.phase !== undefined) clock.enter(update.phase);
    send({ kind: 'progress', update });
  },
  timings: clock.seconds,
  stopRequested: () => Atomics.load(stop, 0) === 1,
};

async function work(): Promise<Outcome> {
  if (input.command === 'train') return train(context);
  const report = await preflight(input.config, input.workDirectory, (phase) => context.report({ phase }));
  return { outcome: 'Validated', preflight: report };
}

try {
  send({ kind: 'outcome', outcome: await work() });
} catch (error) {
  const { stack, cause } = error as Error;
  context.log.error('run failed', { stack, cause: cause instanceof Error ? cause.stack : cause });
  send({ kind: 'outcome', outcome: outcomeOfError(error, step) });
}
