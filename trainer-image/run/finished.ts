import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { contractVersion, result as resultSchema } from '../../crds/trainer-contract.ts';
import type { OutcomeOf } from '../messages.ts';
import type { Source } from '../sources/source.ts';
import type { Context } from './context.ts';

export type FinishedOutcome = OutcomeOf<'Succeeded'> | OutcomeOf<'Rejected'>;

const marker = z.object({ startTime: z.string(), result: resultSchema });

const markerPath = (runId: string) => `runs/${runId}.json`;

/**
 * The outcome of this run if an earlier pod has finished it: a pod may die between its last upload and its exit, and
 * its successor must not train again. A marker of another job, or one that cannot be read, does not count.
 */
export async function finishedOutcome(
  { config, workDirectory, log }: Context,
  output: Source,
): Promise<FinishedOutcome | undefined> {
  const path = markerPath(config.job.runId);
  if (!(await output.exists(path))) return undefined;
  const file = join(workDirectory, 'finished.json');
  await output.download(path, file);
  const found = parse(await readFile(file, 'utf8'));
  const { uid, runId, startTime } = config.job;
  if (found?.result.jobUid !== uid || found.result.runId !== runId || found.startTime !== startTime) {
    log.warn('a marker of another run is ignored', { path });
    return undefined;
  }
  const { contractVersion: _, jobUid: __, runId: ___, podUid: ____, ...outcome } = found.result;
  if (outcome.outcome !== 'Succeeded' && outcome.outcome !== 'Rejected') return undefined;
  return outcome;
}

function parse(text: string): z.infer<typeof marker> | undefined {
  try {
    return marker.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Marks the run as finished: the very last thing that a run writes. */
export async function markFinished(
  { config, workDirectory }: Context,
  output: Source,
  outcome: FinishedOutcome,
): Promise<void> {
  const file = join(workDirectory, 'finished.json');
  const { uid, runId, startTime } = config.job;
  const result = { contractVersion, jobUid: uid, runId, podUid: '', ...outcome };
  await writeFile(file, JSON.stringify({ startTime, result }));
  await output.upload(file, markerPath(runId));
}
