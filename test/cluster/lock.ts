import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Runs `work` while nobody else, in this process or another, holds the lock file. The kernel frees the lock of a
 * process that ends. `log` is told once when there is somebody to wait for.
 */
export async function withLock<T>(
  file: string,
  log: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, 'a');
  try {
    if (!(await flock(descriptor, ['--nonblock']))) {
      log(`another command is at work here; waiting for it (lock ${file})`);
      if (!(await flock(descriptor, []))) throw new Error(`cannot lock ${file}`);
    }
    return await work();
  } finally {
    closeSync(descriptor);
  }
}

/** Node has no flock call. The lock belongs to the open file, which the command shares with us as descriptor 3. */
function flock(descriptor: number, options: string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['--exclusive', ...options, '3'], {
      stdio: ['ignore', 'ignore', 'inherit', descriptor],
    });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}
