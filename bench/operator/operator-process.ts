/** The operator as its image runs it: one process, with the rights that the chart gives and the default settings. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

type Options = { program: string; kubeconfig: string; port: number; logFile: string; flags: string[] };

/** Clock ticks a second, as Linux counts CPU time of processes. */
const ticks = 100;

export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #port: number;

  constructor({ program, kubeconfig, port, logFile, flags }: Options) {
    this.#port = port;
    const log = openSync(logFile, 'a');
    const node = [process.execPath, ...imageFlags(), program, `--port=${port}`, ...flags];
    // The kernel kills the process when we end, however we end.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...node], {
      env: { KUBECONFIG: kubeconfig, PATH: process.env['PATH'] },
      stdio: ['ignore', log, log],
    });
  }

  /** Resolves with the seconds since `started` once /readyz says so. */
  async ready(started = performance.now(), limitMs = 300_000): Promise<number> {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${this.#port}/readyz`).catch(() => undefined);
      if (answer?.ok) return (performance.now() - started) / 1000;
      if (this.#child.exitCode !== null) throw new Error(`the operator ended with ${this.#child.exitCode}`);
      if (performance.now() - started > limitMs) throw new Error('the operator is not ready');
      await sleep(50);
    }
  }

  /** The high-water mark of its resident memory, as the kernel keeps it. */
  get peakRssBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }

  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticks;
  }

  /** Sum of a metric over all its series. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}

/** Flags of Node in the image of the operator. */
function imageFlags(): string[] {
  const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const entrypoint = /^ENTRYPOINT (\["node", .*"\/app\/operator\.mjs"\])$/m.exec(dockerfile)?.[1];
  if (entrypoint === undefined) throw new Error('the Dockerfile has no ENTRYPOINT that starts the operator');
  return (JSON.parse(entrypoint) as string[]).slice(1, -1);
}
