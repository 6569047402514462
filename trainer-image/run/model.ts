import type { RunConfig } from '../../crds/trainer-contract.ts';
import { openTrainableModel, type TrainableModel } from '../model/trainable-model.ts';
import { optimizerOf } from '../optim/optimizer-of.ts';
import { balancedWeights } from '../tasks/class-weights.ts';
import type { Run } from './run.ts';

/** The model of a run, ready to train as its config says. */
export function openModel(
  { training }: RunConfig,
  { device, inputs }: Pick<Run, 'device' | 'inputs'>,
): Promise<TrainableModel> {
  const { labels, task, splits } = inputs.dataset;
  const { seed, dropout, focalLossGamma, classWeights } = training;
  return openTrainableModel({
    binding: device.binding,
    task,
    modelDirectory: inputs.modelDirectory,
    labels,
    seed,
    dropout,
    loss: {
      focalGamma: focalLossGamma,
      ...(classWeights && { classWeights: balancedWeights(splits.train, labels.length) }),
    },
    packed: training.packing === 'BestFitDecreasing',
    update: { ...training, optimizer: optimizerOf(training) },
  });
}
