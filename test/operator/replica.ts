/** The operator as it runs in its image: a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Api } from './api.ts';

const main = join(import.meta.dirname, '../../operator/main.ts');

export class Replica {
  readonly name: string;
  readonly process: ChildProcess;
  readonly ended: Promise<[code: number | null, signal: string | null]>;
  output = '';
  readonly #port: number;

  /** @param before a module that runs first */
  constructor(name: string, api: Api, port: number, flags: string[] = [], before?: string) {
    this.name = name;
    this.#port = port;
    const node = before === undefined ? [] : [`--import=${before}`];
    this.process = spawn(
      process.execPath,
      [...node, main, `--port=${port}`, `--identity=${name}`, ...flags],
      {
        env: { ...process.env, KUBECONFIG: api.kubeConfigFile },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.process.stdout?.on('data', (chunk) => {
      this.output += chunk;
    });
    this.ended = once(this.process, 'exit') as typeof this.ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** What its metrics say of the lease. */
  async leads(): Promise<string | undefined> {
    const text = await (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text();
    return /^leader_election_master_status\{.*\} (.*)$/m.exec(text)?.[1];
  }

  says(message: string): boolean {
    return this.output.includes(`"message":"${message}"`);
  }
}
