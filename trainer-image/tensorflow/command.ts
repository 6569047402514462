import { spawn } from 'node:child_process';

export type Log = (line: string) => void;

const KEPT_OUTPUT_LINES = 30;

/**
 * Runs a program and waits for its end; a line is logged every 15 s so that a long step shows life.
 * @throws Error with the command and its last output lines when it cannot start, fails or exceeds `timeoutMs`
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { what: string; timeoutMs: number; log: Log },
): Promise<void> {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).split('\n').slice(-KEPT_OUTPUT_LINES).join('\n');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const alive = setInterval(() => options.log(`${options.what}: ${seconds()} s`), 15_000);
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', (cause) =>
        reject(new Error(`${options.what} failed: ${command} cannot start: ${cause.message}`, { cause })),
      );
      child.on('close', (code, signal) => {
        if (code === 0) return resolve();
        const end = signal === null ? `exit code ${code}` : `${signal} after ${seconds()} s`;
        reject(new Error(`${options.what} failed: ${command} ended with ${end}\n${output.trim()}`));
      });
    });
  } finally {
    clearInterval(alive);
  }
}
