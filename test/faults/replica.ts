/** One operator process, started again whenever it ends, as its Deployment would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

type Options = {
  /** The bundle. */
  program: string;
  kubeconfig: string;
  flags: string[];
};

/**
 * What only a defect makes the operator say. It logs a stack for what is no answer of the API server: a pass that throws a
 * TypeError is tried again like any other, and would go unnoticed.
 */
const defects = /"message":"(defect|handler of a change failed)|\\n +at /;
const keptLines = 400;

export class Replica {
  readonly #options: Options;
  #child: ChildProcess | undefined;
  #stopping = false;
  #running: Promise<void> | undefined;
  /** Ends that nobody asked for, and log lines that tell of a defect. */
  readonly complaints: string[] = [];
  /** Last lines of the log, over all its processes. */
  readonly log: string[] = [];
  #expected = false;

  constructor(options: Options) {
    this.#options = options;
  }

  start(): void {
    this.#stopping = false;
    this.#running = this.#run();
  }

  /** SIGKILL; a new process follows. */
  kill(): void {
    this.#expected = true;
    this.#child?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const { program, kubeconfig, flags } = this.#options;
      const node = [process.execPath, '--max-old-space-size=256', program, '--port=0', ...flags];
      // The kernel kills the process when we end, however we end.
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...node], {
        env: { KUBECONFIG: kubeconfig, NODE_COMPILE_CACHE: `${program}.cache`, PATH: process.env['PATH'] },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      this.#child = child;
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => this.#hear(line));
      }
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      this.#hear(`the process ended: ${signal ?? code}`);
      if (!this.#expected && !this.#stopping) {
        this.complaints.push(`the operator ended by itself: ${signal ?? code}`);
        await sleep(200);
      }
      this.#expected = false;
    }
  }

  #hear(line: string): void {
    this.log.push(line);
    if (this.log.length > keptLines) this.log.shift();
    if (defects.test(line)) this.complaints.push(line.slice(0, 500));
  }
}
