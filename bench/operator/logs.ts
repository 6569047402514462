/** Logs of a benchmark's programs. They lie in its directories, which go when it ends, so those of a failure are copied. */
import { copyFile, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where programs run that write logs. */
type Logged = { logDirectories: readonly string[]; stop(): Promise<void> };
type Log = (line: string) => void;

/** Says where the logs are, stops what was used in the end, and keeps the logs where its use failed. */
export async function withLogs<T>(used: Logged, log: Log, use: () => Promise<T>): Promise<T> {
  log(`logs: ${used.logDirectories.join(' ')}`);
  try {
    return await use();
  } catch (error) {
    await keepLogs(used, log);
    throw error;
  } finally {
    await used.stop();
  }
}

/** Copies the log of each program to a directory that stays, and says where. It never fails: that would hide why it is done. */
export async function keepLogs({ logDirectories }: Logged, log: Log): Promise<void> {
  try {
    const kept = await mkdtemp(join(tmpdir(), 'bench-operator-logs-'));
    for (const directory of logDirectories) await copyLogs(directory, kept);
    log(`the logs are kept in ${kept}`);
  } catch (error) {
    log(`the logs could not be kept: ${error}`);
  }
}

async function copyLogs(directory: string, to: string): Promise<void> {
  const names = await readdir(directory);
  // The audit log has a line for each request: hundreds of megabytes of ten thousand jobs.
  const logs = names.filter((name) => name.endsWith('.log') && name !== 'audit.log');
  for (const name of logs) await copyFile(join(directory, name), join(to, name));
}
