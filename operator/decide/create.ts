/** The object of the stage that comes next, or what is wrong with its settings. */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { Stage } from '../manifests/names.ts';
import { runConfigOf } from '../manifests/run-config.ts';
import { stageJob } from '../manifests/stage-job.ts';
import { microBatchOf } from './micro-batch.ts';
import type { Run } from './run.ts';

export type Creation = { object: KubernetesObject } | { problem: string };

export function creationOf(run: Run, stage: Stage): Creation {
  const { job, runtime, report, startTime } = run;
  const microBatch = microBatchOf(run);
  if (runtime === undefined) return { problem: 'the FineTuneRuntime does not exist' };
  const known = { startTime, preflight: report, ...(microBatch && { microBatch }) };
  const outcome = runConfigOf({ job, runtime, stage, ...known });
  return 'problem' in outcome
    ? outcome
    : { object: stageJob({ job, runtime, stage, config: outcome.config }) };
}
