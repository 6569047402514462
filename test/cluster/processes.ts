import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that we started. The start time tells it from a later process with the same id. */
export type ProcessRecord = { pid: number; startTime: string; logFile: string };

/** Start time in clock ticks since boot plus the boot's id, or undefined when there is no such process (or a zombie). */
export function processStartTime(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name stands in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

export function isAlive(record: ProcessRecord | undefined): record is ProcessRecord {
  return record !== undefined && processStartTime(record.pid) === record.startTime;
}

/** Host process ids of the direct children of a process. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((candidate) => {
      try {
        const stat = readFileSync(`/proc/${candidate}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

/** Starts a process with its output in a log file. Detached: it goes on when we end. Throws when the command is missing. */
export async function spawnLogged(
  command: string,
  args: string[],
  logFile: string,
  options: { env?: NodeJS.ProcessEnv; detached: boolean },
): Promise<{ child: ChildProcess; record: ProcessRecord }> {
  const log = openSync(logFile, 'a');
  try {
    const env = { ...process.env, ...options.env };
    const child = spawn(command, args, { detached: options.detached, stdio: ['ignore', log, log], env });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Error(`cannot start ${command}: ${error.message}`)));
    });
    if (options.detached) child.unref();
    const pid = child.pid!;
    return { child, record: { pid, startTime: processStartTime(pid) ?? 'ended', logFile } };
  } finally {
    closeSync(log);
  }
}

/** Sends SIGTERM to `targets` (default: the process itself), and SIGKILL when it is still there after `graceMs`. */
export async function stopProcess(record: ProcessRecord, graceMs: number, targets?: number[]): Promise<void> {
  if (!isAlive(record)) return;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const pid of targets ?? [record.pid]) signalIfThere(pid, signal);
    const end = Date.now() + (signal === 'SIGTERM' ? graceMs : 5000);
    while (isAlive(record) && Date.now() < end) await sleep(20);
    if (!isAlive(record)) return;
  }
  throw new Error(`process ${record.pid} does not end, not even by SIGKILL; its log: ${record.logFile}`);
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The process records of one cluster, one JSON file each, so that a later command finds them again. */
export class ProcessTable {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(name: string): Promise<ProcessRecord | undefined> {
    const text = await readFile(join(this.#directory, `${name}.json`), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as ProcessRecord);
  }

  write(name: string, record: ProcessRecord): void {
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(join(this.#directory, `${name}.json`), JSON.stringify(record));
  }

  remove(name: string): void {
    rmSync(join(this.#directory, `${name}.json`), { force: true });
  }

  names(): string[] {
    try {
      return readdirSync(this.#directory).map((file) => basename(file, '.json'));
    } catch {
      return [];
    }
  }
}
