/**
 * `npm test`: all tiers in order, or those named as arguments. Does by itself what they need on a fresh machine.
 * The last line says `N passed, N failed`; the exit code is 0 only when nothing failed, was skipped or was missing.
 */
import { once } from 'node:events';
import { dirname } from 'node:path';
import { runChecks } from './check.ts';
import { stopCluster } from './cluster/cluster.ts';
import { type Preparation, prepare } from './runner/preparation.ts';
import { duration, exitCode, failureList, lastLine, totalOf } from './runner/report.ts';
import type { FileResult } from './runner/run-file.ts';
import { runTier } from './runner/run-tier.ts';
import { chosenTiers, type Tier, testFiles } from './runner/tiers.ts';

const root = dirname(import.meta.dirname);
/** The cluster that the end-to-end files share. */
const sharedCluster = 'test';

type Context = { preparation: Preparation; signal: AbortSignal; print: (text: string) => void };

async function runOne(tier: Tier, files: readonly string[], context: Context): Promise<FileResult[]> {
  const { preparation, signal, print } = context;
  print(`\n━━ ${tier.name}: ${tier.title}`);
  if (tier.name === 'check') return checkResults(await runChecks(print));
  if (files.length === 0) return [failed(tier.name, 'the tier has no test file')];
  const prepared = Promise.all(tier.needs.map((step) => preparation.outcomeOf(step)));
  const interruption = once(signal, 'abort').then(() => [
    new Error('interrupted while things were prepared'),
  ]);
  const missing = (await Promise.race([prepared, interruption])).find((error) => error !== undefined);
  if (missing) {
    print(`✖ ${missing.message}`);
    return [failed(tier.name, missing.message)];
  }
  return runTier(tier, files, { root, signal, print });
}

function failed(name: string, message: string): FileResult {
  return {
    file: name,
    passed: 0,
    skipped: [],
    failures: [{ name: message, place: name, message }],
    notes: [],
    seconds: 0,
    output: '',
  };
}

function checkResults(checks: readonly { name: string; passed: boolean }[]): FileResult[] {
  return checks.map(({ name, passed }) =>
    passed ? { ...failed('check', ''), failures: [], passed: 1 } : failed('check', name),
  );
}

async function main(args: readonly string[]): Promise<number> {
  const print = (text: string) => console.log(text);
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  const chosen = chosenTiers(args);
  const files = testFiles(root);
  const preparation = prepare(
    chosen.flatMap(({ needs }) => needs),
    print,
  );
  const results: FileResult[] = [];
  for (const tier of chosen) {
    if (interrupted.signal.aborted) break;
    const started = performance.now();
    const ofTier = await runOne(tier, files.get(tier.name) ?? [], {
      preparation,
      signal: interrupted.signal,
      print,
    });
    results.push(...ofTier);
    const seconds = (performance.now() - started) / 1000;
    print(`── ${tier.name}: ${lastLine(totalOf(ofTier))} in ${duration(seconds)}`);
  }
  if (chosen.some(({ name }) => name === 'e2e' || name === 'cluster')) await stopCluster(sharedCluster);
  print(failureList(results));
  if (interrupted.signal.aborted) print('Interrupted: not everything was run.');
  const total = totalOf(results);
  print(lastLine(total));
  return interrupted.signal.aborted ? 1 : exitCode(total);
}

try {
  // Preparations that were begun for tiers nobody waits for any more must not hold up the end.
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.log('0 passed, 1 failed');
  process.exit(1);
}
