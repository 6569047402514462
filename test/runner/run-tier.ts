/** Runs the files of one tier, as many side by side as the tier allows. */
import { duration, fileReport } from './report.ts';
import { type FileResult, runFile } from './run-file.ts';
import type { Tier } from './tiers.ts';

/** Results in the order of `files`; each file is reported when it ends. After `signal` no further file is started. */
export async function runTier(
  { concurrency, fileTimeoutSeconds, live }: Pick<Tier, 'concurrency' | 'fileTimeoutSeconds' | 'live'>,
  files: readonly string[],
  { root, signal, print }: { root: string; signal: AbortSignal; print: (text: string) => void },
): Promise<FileResult[]> {
  const results: FileResult[] = [];
  const waiting = files.entries();
  const worker = async () => {
    for (const [index, file] of waiting) {
      if (signal.aborted) return;
      if (live) print(`▶ ${file}`);
      const result = await runFile(file, {
        root,
        signal,
        timeoutSeconds: fileTimeoutSeconds,
        onProgress: (running, seconds) =>
          print(`… ${file}: ${duration(seconds)}${running.length > 0 ? `, at: ${running.join(', ')}` : ''}`),
        ...(live ? { onOutput: (text) => print(text.trimEnd()) } : {}),
      });
      results[index] = result;
      print(fileReport(result));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return results.filter(Boolean);
}
