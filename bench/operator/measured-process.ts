/** A process whose memory and processor time the kernel tells. It ends with ours, however ours ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { statOf } from './processor-time.ts';

export type ProcessOptions = {
  /** Program and arguments; what it starts by `exec` is measured. */
  command: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Where it answers /readyz, on 127.0.0.1. */
  port: number;
  logFile: string;
};

export class MeasuredProcess {
  readonly #child: ChildProcess;
  readonly port: number;

  constructor({ command, env, port, logFile }: ProcessOptions) {
    this.port = port;
    const log = openSync(logFile, 'a');
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
      env,
      stdio: ['ignore', log, log],
    });
  }

  /** Resolves with the seconds since `started` once /readyz says so. */
  async ready(started = performance.now(), limitMs = 300_000): Promise<number> {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`).catch(() => undefined);
      if (answer?.ok) return (performance.now() - started) / 1000;
      if (!this.isAlive)
        throw new Error(`${this.#child.spawnargs.join(' ')} ended with ${this.#child.exitCode}`);
      if (performance.now() - started > limitMs)
        throw new Error(`${this.#child.spawnargs.join(' ')} is not ready`);
      await sleep(50);
    }
  }

  /** The high-water mark of its resident memory, as the kernel keeps it. */
  get peakRssBytes(): number {
    return this.#kernelBytes('VmHWM');
  }

  get rssBytes(): number {
    return this.#kernelBytes('VmRSS');
  }

  #kernelBytes(field: string): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  }

  /** What each of its file descriptors is open on, for example "socket:[123]". */
  get descriptors(): string[] {
    const directory = `/proc/${this.#child.pid}/fd`;
    return readdirSync(directory).flatMap((name) => {
      try {
        return [readlinkSync(join(directory, name))];
      } catch {
        // Closed in the meantime.
        return [];
      }
    });
  }

  /** Whether it runs. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get cpuSeconds(): number {
    const stat = statOf(this.#child.pid ?? 0);
    if (stat === undefined) throw new Error(`${this.#child.spawnargs.join(' ')} has ended`);
    return stat.seconds;
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!this.isAlive) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}
