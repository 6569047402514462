/** `npm run check`: everything that can be said about the code without running it. */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';

const root = dirname(import.meta.dirname);

type Check = { name: string; command: string; args: string[]; advice: string };

const checks: readonly Check[] = [
  {
    name: 'format and lint',
    command: 'biome',
    args: ['check', '--error-on-warnings', '.'],
    advice: '"npm run format" repairs what can be repaired',
  },
  {
    name: 'types',
    command: 'tsc',
    args: ['-p', '.'],
    advice: 'repair the lines named above',
  },
  {
    name: 'generated files',
    command: 'node',
    args: ['crds/generate.ts', '--check'],
    advice: 'run "npm run generate" and commit the result',
  },
  {
    name: 'unused code',
    command: 'knip',
    args: [],
    advice: 'remove what is named above, or use it',
  },
];

export type CheckResult = { name: string; passed: boolean };

/** Runs all checks, one after the other, and prints for each its time, and if it failed its output and what to do. */
export async function runChecks(print: (text: string) => void): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const { name, command, args, advice } of checks) {
    const started = performance.now();
    const { passed, output } = await outcomeOf(command, args);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    print(`${passed ? '✔' : '✖'} ${name} (${seconds} s)`);
    if (!passed) print(`${output.trimEnd()}\n  → ${advice}\n`);
    results.push({ name, passed });
  }
  return results;
}

function outcomeOf(command: string, args: string[]): Promise<{ passed: boolean; output: string }> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => resolve({ passed: false, output: `${command}: ${error.message}` }));
    child.once('close', (code) => resolve({ passed: code === 0, output }));
  });
}

if (import.meta.main) {
  const results = await runChecks(console.log);
  if (results.some(({ passed }) => !passed)) process.exitCode = 1;
}
