import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { contractVersion, type Result, result as resultSchema } from '../../crds/trainer-contract.ts';
import type { OutcomeOf } from '../messages.ts';
import type { Source } from '../sources/source.ts';
import type { Context } from './context.ts';

export type FinishedOutcome = OutcomeOf<'Succeeded'> | OutcomeOf<'Rejected'>;

const marker = z.object({ result: resultSchema });

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
  if (found?.jobUid !== config.job.uid || found.runId !== config.job.runId) {
    log.warn('a marker of another run is ignored', { path });
    return undefined;
  }
  if (found.outcome !== 'Succeeded' && found.outcome !== 'Rejected') return undefined;
  const { contractVersion: _, jobUid: __, runId: ___, podUid: ____, ...outcome } = found;
  return outcome;
}

function parse(text: string): Result | undefined {
  try {
    return marker.parse(JSON.parse(text)).result;
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
  const { uid, runId } = config.job;
  const result = { contractVersion, jobUid: uid, runId, podUid: '', ...outcome };
  await writeFile(file, JSON.stringify({ result }));
  await output.upload(file, markerPath(runId));
}
