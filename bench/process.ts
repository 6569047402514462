/** Programs that are measured from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';

export type Command = { command: string; args: readonly string[]; env?: Record<string, string> };

export type Finished = { stdout: string; seconds: number; peakRssBytes: number };

const samplingMs = 50;

/**
 * Runs a program to its end; `onOutput` is told all that it has printed so far. The peak of its resident memory is the kernel's own high-water mark, read until it ends.
 * Throws with the end of what it printed when it fails.
 */
export async function measured(
  { command, args, env }: Command,
  onOutput: (soFar: string) => void = () => {},
): Promise<Finished> {
  const started = performance.now();
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    onOutput(stdout);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  let peakRssBytes = 0;
  const timer = setInterval(() => {
    peakRssBytes = Math.max(peakRssBytes, highWaterMark(child));
  }, samplingMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout.slice(-4000)}${stderr}`);
  return { stdout, seconds, peakRssBytes };
}

function highWaterMark({ pid }: ChildProcess): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0; // it has just ended
  }
}

/** A program that waits for requests, one JSON line each, so that two of them can be measured in turns. */
export class Responder {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;

  constructor({ command, args, env }: Command) {
    this.#child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#interface = createInterface({ input: this.#child.stdout! });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  /** The next line of its output. Throws when it has ended. */
  async answer<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the measured program ended early');
    return JSON.parse(value) as T;
  }

  ask<T>(request: object): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    return this.answer<T>();
  }

  async close(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.stdin?.end();
    await closed;
  }
}
