import type { TrainableModel } from '../model/trainable-model.ts';
import type { Source } from '../sources/source.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Context } from './context.ts';
import type { Device } from './device.ts';
import type { Inputs } from './inputs.ts';
import type { ProgressReporter } from './progress-reporter.ts';
import type { RunState } from './state.ts';

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
