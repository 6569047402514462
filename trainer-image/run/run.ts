import { stepsPerEpoch, totalSteps } from '../data/batches.ts';
import type { TrainableModel } from '../model/trainable-model.ts';
import type { Source } from '../sources/source.ts';
import { CheckpointStore } from './checkpoint-store.ts';
import { Checkpoints } from './checkpoints.ts';
import type { Context } from './context.ts';
import type { Device } from './device.ts';
import type { Inputs } from './inputs.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { configHash, newState, type RunState } from './state.ts';

/** Everything that the steps of the recipe share. */
export type Run = {
  context: Context;
  device: Device;
  inputs: Inputs;
  model: TrainableModel;
  output: Source;
  checkpoints: Checkpoints;
  state: RunState;
  progress: ProgressReporter;
  totalSteps: number;
  stepsPerEpoch: number;
};

/** Goes back to where an earlier attempt stopped, if there was one. */
export async function openRun(
  context: Context,
  parts: Pick<Run, 'device' | 'inputs' | 'model' | 'output'>,
): Promise<Run> {
  const { config, log } = context;
  const { dataset, modelDigest } = parts.inputs;
  const { train, validation, test } = dataset.splits;
  const digests = [modelDigest, train.digest, validation?.digest ?? '', test.digest];
  const store = await CheckpointStore.open({
    output: parts.output,
    runId: config.job.runId,
    configHash: configHash(config, digests),
    keep: config.checkpoints.keep,
    log,
  });
  const checkpoints = new Checkpoints(context, store, parts.model);
  const state = (await checkpoints.resume()) ?? newState();
  const steps = totalSteps(train, config.training);
  const perEpoch = stepsPerEpoch(train, config.training);
  const progress = new ProgressReporter(context, state, { totalSteps: steps, stepsPerEpoch: perEpoch });
  return { context, ...parts, checkpoints, state, progress, totalSteps: steps, stepsPerEpoch: perEpoch };
}
