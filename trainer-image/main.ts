/**
 * The trainer's process: `main.ts preflight` checks data and model, `main.ts train` trains. This thread reads the
 * config, serves HTTP, writes the termination message and chooses the exit code; a worker thread does the work, since
 * graph calls block their thread.
 */
import type { Server } from 'node:http';
import { Worker } from 'node:worker_threads';
import { contractVersion, type RunConfig } from '../crds/trainer-contract.ts';
import { type RunIdentity, readRunConfig, readSettings, type Settings } from './config.ts';
import { outcomeOfError } from './failure-outcome.ts';
import { createLog, type Log } from './log.ts';
import type { Outcome, Speaker, WorkerInput, WorkerMessage } from './messages.ts';
import { createProgressBoard, type ProgressBoard } from './progress.ts';
import { exitCodeOf, internalFailure, writeTerminationMessage } from './result.ts';
import { createTrainerMetrics } from './series.ts';
import { startServer } from './server.ts';
import { tensorflowEnvironment, usableCpus } from './threads.ts';

const command = process.argv[2];
if (command === 'preflight' || command === 'train') await runCommand(command);
else {
  console.error('usage: main.ts preflight | train');
  process.exitCode = 2;
}

async function runCommand(command: WorkerInput['command']): Promise<void> {
  const settings = settingsOrExit();
  const read = readRunConfig(settings.runConfigFile);
  const identity = 'config' in read ? identityOf(read.config) : read.identity;
  const log = createLog(settings.logLevel, { command, ...jobFields(read), pod: settings.podName });
  const stop = listenForStop(log);
  let outcome: Outcome;
  try {
    if ('error' in read) throw read.error;
    outcome = await superviseWorker({ command, settings, config: read.config, identity, log, stop });
  } catch (error) {
    log.error('run failed', { error: describe(error as Error) });
    outcome = outcomeOfError(error);
  }
  end({ settings, identity, log, outcome });
}

type Stop = {
  /** For the worker, which cannot receive messages while a graph call blocks it. */
  flag: SharedArrayBuffer;
  requested: Promise<void>;
};

/** The kubelet asks by SIGTERM and kills when the grace period is over. */
function listenForStop(log: Log): Stop {
  const flag = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const requested = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        log.warn('asked to stop', { signal });
        Atomics.store(new Int32Array(flag), 0, 1);
        resolve();
      });
    }
  });
  return { flag, requested };
}

/** Without its settings the process knows no place for a termination message; the exit code still tells. */
function settingsOrExit(): Settings {
  try {
    return readSettings(process.env);
  } catch (error) {
    createLog('info', {}).error('trainer not started', { error: (error as Error).message });
    process.exit(exitCodeOf(outcomeOfError(error)));
  }
}

type Run = {
  command: WorkerInput['command'];
  settings: Settings;
  config: RunConfig;
  identity: RunIdentity;
  log: Log;
  stop: Stop;
};

/** Runs the worker to its end while the server answers; every way in which it can end gives an outcome. */
async function superviseWorker({ command, settings, config, identity, log, stop }: Run): Promise<Outcome> {
  const { namespace, name, runId } = config.job;
  const board = createProgressBoard(speakerOf(identity, settings));
  const metrics = createTrainerMetrics({ namespace, job: name, run: runId });
  metrics.update(board.current());
  const server: Server = await startServer(settings.httpPort, board, metrics);
  const cpus = usableCpus();
  Object.assign(process.env, tensorflowEnvironment(process.env, cpus), { TMPDIR: settings.workDirectory });
  log.info('trainer started', { address: server.address(), cpus, node: settings.nodeName });
  const { workDirectory, tensorflowDirectory } = settings;
  const workerData: WorkerInput = {
    command,
    config,
    workDirectory,
    tensorflowDirectory,
    stopFlag: stop.flag,
  };

  return new Promise((resolve) => {
    const worker = new Worker(workerFile(), { workerData });
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'log') log[message.level](message.message, message.fields);
      else if (message.kind === 'outcome') resolve(message.outcome);
      else {
        board.update(message.update);
        metrics.update(message.update);
      }
    });
    worker.on('error', (error) => {
      log.error('worker failed', { error: describe(error) });
      resolve(outcomeOfError(error, board.current().step));
    });
    worker.on('exit', (code) => resolve(internalFailure(`The worker thread ended with code ${code}.`)));
    void stop.requested.then(() => {
      const wait = nothingToSave(board) ? 0 : settings.graceSeconds * 1000;
      setTimeout(() => resolve(interrupted(board)), wait);
    });
  });
}

/** Before the first evaluation there is no state that a checkpoint would keep. */
function nothingToSave(board: ProgressBoard): boolean {
  return ['Starting', 'Downloading', 'Preparing'].includes(board.current().phase);
}

function interrupted(board: ProgressBoard): Outcome {
  const { step, checkpoints, trainSeconds, trainedTokens } = board.current();
  return { outcome: 'Interrupted', step, checkpoints, trainSeconds, trainedTokens };
}

type End = { settings: Settings; identity: RunIdentity; log: Log; outcome: Outcome };

function end({ settings, identity, log, outcome }: End): never {
  const exitCode = exitCodeOf(outcome);
  log[exitCode === 0 ? 'info' : 'error']('trainer ended', { exitCode, result: outcome });
  try {
    writeTerminationMessage(settings.terminationFile, { ...speakerOf(identity, settings), ...outcome });
  } catch (error) {
    log.error('termination message not written', { error: describe(error as Error) });
  }
  process.exit(exitCode);
}

function speakerOf({ jobUid, runId }: RunIdentity, settings: Settings): Speaker {
  return { contractVersion, jobUid, runId, podUid: settings.podUid };
}

function identityOf(config: RunConfig): RunIdentity {
  return { jobUid: config.job.uid, runId: config.job.runId };
}

function jobFields(read: ReturnType<typeof readRunConfig>): Record<string, string> {
  if (!('config' in read)) return { ...read.identity };
  const { namespace, name, uid, runId } = read.config.job;
  return { job: `${namespace}/${name}`, jobUid: uid, runId };
}

function describe(error: Error): string {
  return error.stack ?? error.message;
}

/** The worker lies beside this file, as source or bundled. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.mjs', import.meta.url);
}
