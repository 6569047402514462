/** The operator as its image runs it: one process, with the rights and the memory that the chart gives and the default settings. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

type Options = {
  program: string;
  kubeconfig: string;
  port: number;
  logFile: string;
  flags: string[];
  /** File that takes the ids of the processes of a control group: V8 sizes its heap by the limit of its memory. */
  group: string;
};

/** Clock ticks a second, as Linux counts CPU time of processes. */
const ticks = 100;

export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #port: number;

  constructor({ program, kubeconfig, port, logFile, flags, group }: Options) {
    this.#port = port;
    const log = openSync(logFile, 'a');
    const image = imageSettings();
    const node = [process.execPath, ...image.flags, program, `--port=${port}`, ...flags];
    // The kernel kills the process when we end, however we end.
    const inGroup = ['sh', '-c', 'echo $$ > "$0" && exec "$@"', group];
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...inGroup, ...node], {
      env: { ...image.env, KUBECONFIG: kubeconfig, PATH: process.env['PATH'] },
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
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticks;
  }

  /** All series of /metrics, one a line. */
  async series(): Promise<string[]> {
    const text = await (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text();
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  }

  /** Sum of a metric over all its series. */
  async metric(name: string): Promise<number> {
    return sumOf(await this.series(), name);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!this.isAlive) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}

/** Environment and flags of Node in the image of the operator. */
function imageSettings(): { env: Record<string, string>; flags: string[] } {
  const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const stage = /^FROM runtime AS operator$(.*?)(?=^FROM )/ms.exec(dockerfile)?.[1] ?? '';
  const entrypoint = /^ENTRYPOINT (\["node", .*"\/app\/operator\.mjs"\])$/m.exec(stage)?.[1];
  if (entrypoint === undefined) throw new Error('the Dockerfile has no ENTRYPOINT that starts the operator');
  const pairs = [...stage.matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) => line.split(' '));
  return {
    env: Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string])),
    flags: (JSON.parse(entrypoint) as string[]).slice(1, -1),
  };
}

/** Sum of a metric over its series. */
export function sumOf(series: readonly string[], name: string): number {
  return series
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
