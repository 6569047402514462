/** Runs one test file in a process of its own and counts what its tests came to. */
import { readFileSync } from 'node:fs';
import { run } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf } from '../cluster/processes.ts';

export type Failure = { name: string; place: string; message: string };

export type FileResult = {
  file: string;
  passed: number;
  /** Names of tests that were left out: a defect, since a test that never runs proves nothing. */
  skipped: string[];
  failures: Failure[];
  /** What tests told with `t.diagnostic`. */
  notes: string[];
  seconds: number;
  /** The last lines that the file printed. */
  output: string;
};

export type RunOptions = {
  root: string;
  timeoutSeconds: number;
  /** Time that a stopped process has to end by itself. */
  killAfterMs?: number;
  /** Ends the file early, for example when the user presses ctrl-c. */
  signal?: AbortSignal;
  onOutput?: (text: string) => void;
  /** Called now and then with the names of the tests that run. */
  onProgress?: (running: string[], seconds: number) => void;
};

const outputKept = 16_000;
const progressSeconds = 30;
const pollMs = 100;

/** Test events as node:test sends them; a name may be that of a test, a suite or the file. */
type TestEvent = {
  name: string;
  nesting: number;
  file?: string;
  line?: number;
  skip?: string | boolean;
  todo?: string | boolean;
  details?: { type?: string; error?: Error & { failureType?: string; exitCode?: number; signal?: string } };
};

/** Runs `file` (a path from `root`). It never throws because of what the file does. */
export async function runFile(file: string, options: RunOptions): Promise<FileResult> {
  const { root, timeoutSeconds, killAfterMs = 10_000, signal, onOutput, onProgress } = options;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const tally = new Tally(file);
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  const stop = signal ? AbortSignal.any([timeout, signal]) : timeout;
  const ticker = setInterval(() => onProgress?.(tally.running(), seconds()), progressSeconds * 1000);
  try {
    const events = run({ files: [file], cwd: root, isolation: 'process', concurrency: 1, signal: stop });
    for await (const { type, data } of events) {
      if (type === 'test:stdout' || type === 'test:stderr') {
        tally.print(data.message);
        onOutput?.(data.message);
      } else if (type === 'test:diagnostic') {
        // Without a file it is the summary of node:test.
        if (data.file !== undefined) tally.notes.push(data.message);
      } else tally.take(type, data as TestEvent);
    }
  } finally {
    clearInterval(ticker);
  }
  if (stop.aborted) await ended(file, killAfterMs);
  if (timeout.aborted) tally.stopped(`it had not ended after ${timeoutSeconds} s and was stopped`);
  else if (signal?.aborted) tally.stopped('it was interrupted');
  return tally.result(seconds());
}

/** node:test asks a stopped file to end with SIGTERM and does not wait; here it has some time, then it is killed. */
async function ended(file: string, killAfterMs: number): Promise<void> {
  for (let waited = 0; processesOf(file).length > 0; waited += pollMs) {
    if (waited >= killAfterMs) for (const pid of processesOf(file)) process.kill(pid, 'SIGKILL');
    await sleep(pollMs);
  }
}

/** Our child processes that run `file`. */
function processesOf(file: string): number[] {
  return childrenOf(process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(file);
    } catch {
      return false;
    }
  });
}

/** Counts the tests of one file. */
class Tally {
  readonly notes: string[] = [];
  readonly #file: string;
  readonly #path: string[] = [];
  readonly #running = new Set<string>();
  readonly #skipped: string[] = [];
  readonly #failures: Failure[] = [];
  #passed = 0;
  #stopped: string | undefined;
  #output = '';

  constructor(file: string) {
    this.#file = file;
  }

  running(): string[] {
    return [...this.#running];
  }

  print(text: string): void {
    this.#output = (this.#output + text).slice(-outputKept);
  }

  stopped(why: string): void {
    this.#stopped = why;
  }

  take(type: string, event: TestEvent): void {
    // node:test reports the file itself like a test of its own, without tests inside it.
    const isFile = event.nesting === 0 && event.name === this.#file;
    if (type === 'test:dequeue' && !isFile) this.#running.add(event.name);
    if (type === 'test:complete') this.#running.delete(event.name);
    if (type === 'test:start') this.#path.splice(event.nesting, Infinity, event.name);
    if (type !== 'test:pass' && type !== 'test:fail') return;
    const isSuite = event.details?.type === 'suite';
    const name = [...this.#path.slice(0, event.nesting), event.name].join(' > ');
    if (event.skip !== undefined || event.todo !== undefined) this.#skipped.push(name);
    else if (type === 'test:fail') this.#fail(name, event, isFile || isSuite);
    else if (!isFile && !isSuite) this.#passed++;
  }

  /** A suite or file that failed only because of a test in it adds nothing to that test's failure. */
  #fail(name: string, { file, line, details }: TestEvent, isContainer: boolean): void {
    const error = details?.error;
    if (isContainer && error?.failureType === 'subtestsFailed') return;
    const place = line === undefined ? (file ?? this.#file) : `${file ?? this.#file}:${line}`;
    this.#failures.push({ name, place, message: `${messageOf(error)}${isContainer ? this.#where() : ''}` });
  }

  #where(): string {
    return this.#running.size > 0 ? `; running then: ${this.running().join(', ')}` : '';
  }

  result(seconds: number): FileResult {
    const file = this.#file;
    // What node:test says of a file that was stopped is that it was stopped.
    const failures = this.#failures.filter(({ name }) => this.#stopped === undefined || name !== file);
    if (this.#stopped !== undefined) {
      const where = this.#where() || (this.#passed > 0 ? '; something kept it alive' : '; no test had ended');
      failures.push({ name: file, place: file, message: `${this.#stopped}${where}` });
    } else if (this.#passed + this.#skipped.length + failures.length === 0)
      failures.push({ name: file, place: file, message: 'the file holds no test' });
    return {
      file,
      passed: this.#passed,
      skipped: this.#skipped,
      failures,
      notes: this.notes,
      seconds,
      output: this.#output,
    };
  }
}

type TestError = NonNullable<NonNullable<TestEvent['details']>['error']>;

/** What went wrong, with the lines of the stack that are ours. */
function messageOf(error: TestError | undefined): string {
  if (error?.signal) return `its process ended by ${error.signal}`;
  if (error?.exitCode !== undefined) return `its process ended with exit code ${error.exitCode}`;
  const cause = error?.cause ?? error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return text.replaceAll(/\n {4}at .*\(?node:internal\/.*/g, '');
}
