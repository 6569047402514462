import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export type WaitOptions = {
  timeoutMs: number;
  /** Named and quoted when the wait fails. */
  logFile?: string;
  intervalMs?: number;
  /** A reason why waiting on is useless, for example that the process has ended. */
  hopeless?: () => Promise<string | undefined>;
};

/** Last lines of a log file, for error messages. */
export async function logTail(file: string, lines = 15): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

/**
 * Calls `check` until it returns something other than undefined or false. Errors of `check` mean "not yet".
 * Throws after `timeoutMs`, with the last error and the end of the log file.
 */
export async function waitFor<T>(
  what: string,
  check: () => Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const { timeoutMs, logFile, intervalMs = 100, hopeless } = options;
  const end = Date.now() + timeoutMs;
  let last = '';
  while (true) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    const lost = await hopeless?.();
    if (lost !== undefined || Date.now() > end) {
      const reason = lost ?? `not there after ${timeoutMs / 1000} s`;
      const log = logFile ? `\nEnd of ${logFile}:\n${await logTail(logFile)}` : '';
      throw new Error(`${what}: ${reason}${last ? ` (${last})` : ''}${log}`);
    }
    await sleep(intervalMs);
  }
}
