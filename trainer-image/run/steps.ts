import type { Batch } from '../data/batch.ts';
import { trainSteps } from '../data/batches.ts';
import type { Run } from './run.ts';

/** The micro-batches of each step from the current one on, epoch after epoch without end. */
export function* stepsFrom({ context, inputs, state, stepsPerEpoch }: Run): Generator<Batch[]> {
  const { training } = context.config;
  const { task, splits } = inputs.dataset;
  let skip = state.step % stepsPerEpoch;
  for (let epoch = Math.floor(state.step / stepsPerEpoch); ; epoch++) {
    yield* trainSteps(splits.train, { ...training, epoch, skip }, task.collate);
    skip = 0;
  }
}
