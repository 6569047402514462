/** The training part of the run config: decimals as numbers, and each choice together with its settings. */
import type { FineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import {
  cosineWithRestarts,
  masking,
  polynomial,
  reduceLROnPlateau,
  sgd,
} from '../../crds/training.schema.ts';

type Training = FineTuneJobSpec['training'];

/** Not checked: the schema of the run config does that. */
export function trainingOf({ task, training }: Pick<FineTuneJobSpec, 'task' | 'training'>) {
  const { batchSize, gradientAccumulationSteps, maxLength, dropout, seed, earlyStopping } = training;
  const { stride, rDropAlpha, freeze, layerwiseLearningRateDecay } = training;
  return {
    epochs: Number(training.epochs),
    batchSize,
    gradientAccumulationSteps,
    gradientCheckpointing: training.gradientCheckpointing,
    bf16: training.bf16,
    learningRate: Number(training.learningRate),
    schedule: scheduleOf(training),
    warmup: Number(training.warmup),
    optimizer: optimizerOf(training),
    weightDecay: Number(training.weightDecay),
    maxGradNorm: Number(training.maxGradNorm),
    labelSmoothing: Number(training.labelSmoothing),
    ...(training.classWeights && { classWeights: training.classWeights }),
    ...(training.focalLossGamma !== undefined && { focalLossGamma: Number(training.focalLossGamma) }),
    ...(rDropAlpha !== undefined && { rDropAlpha: Number(rDropAlpha) }),
    ...(freeze && { freeze }),
    ...(layerwiseLearningRateDecay !== undefined && {
      layerwiseLearningRateDecay: Number(layerwiseLearningRateDecay),
    }),
    ...(training.ema && { ema: { decay: Number(training.ema.decay) } }),
    maxLength,
    trainSamplingStrategy: training.trainSamplingStrategy,
    packing: training.packing ?? defaultPacking(task, training),
    ...(stride !== undefined && { stride }),
    seed,
    ...(dropout !== undefined && { dropout: Number(dropout) }),
    ...(task === 'MaskedLM' && { masking: maskingOf(training) }),
    ...(earlyStopping && { earlyStopping: { ...earlyStopping, minDelta: Number(earlyStopping.minDelta) } }),
  };
}

function defaultPacking(task: FineTuneJobSpec['task'], { trainSamplingStrategy, stride }: Training) {
  const wraps = task === 'MaskedLM' && trainSamplingStrategy === 'GroupByLength' && stride === undefined;
  return wraps ? 'Wrapped' : 'None';
}

function scheduleOf(training: Training) {
  const { schedule: name } = training;
  switch (name) {
    case 'CosineWithRestarts':
      return { name, ...(training.cosineWithRestarts ?? cosineWithRestarts.parse({})) };
    case 'Polynomial': {
      const { power, endLearningRate } = training.polynomial ?? polynomial.parse({});
      return { name, power: Number(power), endLearningRate: Number(endLearningRate) };
    }
    case 'ReduceLROnPlateau': {
      const settings = training.reduceLROnPlateau ?? reduceLROnPlateau.parse({});
      return {
        name,
        ...settings,
        factor: Number(settings.factor),
        threshold: Number(settings.threshold),
        minLearningRate: Number(settings.minLearningRate),
      };
    }
    default:
      return { name };
  }
}

function maskingOf({ masking: given }: Training) {
  const { probability, wholeWord } = given ?? masking.parse({});
  return { probability: Number(probability), wholeWord };
}

function optimizerOf({ optimizer: name, sgd: given }: Training) {
  return name === 'SGD' ? { name, momentum: Number((given ?? sgd.parse({})).momentum) } : { name };
}
