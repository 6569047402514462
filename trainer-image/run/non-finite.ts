import type { CheckpointRecord } from '../../crds/trainer-contract.ts';
import { TrainerError } from '../failure.ts';

type Numbers = {
  step: number;
  loss?: number;
  evalLoss?: number;
  gradientNorm?: number;
  learningRate?: number;
};

/**
 * Ends a run whose numbers are no longer numbers, before anything of it is saved. `step`: the one that was computed, 0 for
 * an evaluation before the first.
 * @throws TrainerError NonFiniteLoss naming step, learning rate and the last good checkpoint; ModelError where the loss is
 * that of the base model, before any update.
 */
export function refuseNonFinite(numbers: Numbers, checkpoints: readonly CheckpointRecord[]): void {
  const { step, loss, evalLoss, gradientNorm, learningRate } = numbers;
  const wrong = Object.entries({
    'training loss': loss,
    'evaluation loss': evalLoss,
    'gradient norm': gradientNorm,
  }).find(([, value]) => value !== undefined && !Number.isFinite(value));
  if (wrong === undefined) return;
  if (step === 0 || (step === 1 && wrong[0] === 'training loss')) throw brokenModel(wrong[1]);
  const rate = learningRate === undefined ? '' : ` at learning rate ${learningRate}`;
  const [last] = checkpoints;
  const kept = last === undefined ? '' : ` The checkpoint of step ${last.step} is from before and is kept.`;
  throw new TrainerError(
    'NonFiniteLoss',
    `The ${wrong[0]} became ${wrong[1]} in step ${step}${rate}.${kept}`,
    'Lower training.learningRate, raise training.warmup, keep training.maxGradNorm at 1, and start with a new runId.',
  );
}

function brokenModel(loss: number | undefined): TrainerError {
  return new TrainerError(
    'ModelError',
    `The loss of the base model is ${loss} before anything was trained.`,
    'Its weights are damaged or hold numbers that are not finite: save the model again, and look for NaN with torch.isfinite.',
  );
}
