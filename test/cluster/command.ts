import { spawn } from 'node:child_process';

export type CommandOptions = {
  input?: string;
  timeoutMs?: number;
  /** Return stdout even when the command fails. */
  allowFailure?: boolean;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
};

/**
 * Runs a command to its end and returns its stdout.
 * Throws with the command line and the end of stderr when it fails, is not there or takes too long.
 */
export async function run(command: string, args: string[], options: CommandOptions = {}): Promise<string> {
  const { input, timeoutMs = 60_000, allowFailure = false, cwd, env } = options;
  const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: 'pipe' });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A command may end before it has read its input; its exit status tells the story.
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? code}`));
  });
  clearTimeout(timer);
  const output = Buffer.concat(stdout).toString();
  if (failure === undefined || (allowFailure && !timedOut)) return output;
  const reason = timedOut ? `took longer than ${timeoutMs / 1000} s` : failure;
  const said = Buffer.concat(stderr).toString().trim() || output.trim();
  throw new Error(`${[command, ...args].join(' ')}: ${reason}\n${said.slice(-4000)}`);
}
