/** Losses as sum and count: the mean over several batches is then exact, however the labels are spread over them. */
import { dimension, flattenRows, gather, reshape } from '../graph/array-ops.ts';
import { crossEntropy as crossEntropyOf } from '../graph/cross-entropy.ts';
import type { Tensor } from '../graph/graph.ts';
import { sigmoidCrossEntropy } from '../graph/neural.ts';
import {
  cast,
  constant,
  exp,
  greaterEqual,
  log,
  maximum,
  mul,
  neg,
  square,
  sub,
  sumAll,
} from '../graph/ops.ts';
import { productDim } from '../graph/shape.ts';

export type Loss = { lossSum: Tensor; count: Tensor };

/** How training changes the loss; evaluation measures the plain one. */
export type LossOptions = {
  labelSmoothing?: number | undefined;
  /** [labels] */
  classWeights?: readonly number[] | undefined;
  focalGamma?: number | undefined;
};

/**
 * -log softmax(logits)[label] for logits [..., classes] and int32 labels [...]; a negative label counts for nothing.
 * Smoothing and weights as PyTorch's CrossEntropyLoss has them; with weights the count is their sum.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: LossOptions = {}): Loss {
  const { labelSmoothing = 0, classWeights, focalGamma = 0 } = options;
  const flat = reshape(labels, [productDim(labels.shape)]);
  const ids = maximum(flat, 0);
  const labelled = cast(greaterEqual(flat, 0), 'float32');
  const plain = crossEntropyOf(flattenRows(logits), ids, labelSmoothing);
  const losses = focalGamma === 0 ? plain : mul(plain, focalFactor(plain, focalGamma));
  const weights =
    classWeights === undefined
      ? labelled
      : mul(labelled, gather(constant(logits.graph, 'float32', classWeights), ids));
  return { lossSum: sumAll(mul(losses, weights)), count: sumAll(weights) };
}

/** (1 - p)^gamma with p = exp(-loss), the probability of the label (Lin et al. 2017). */
function focalFactor(loss: Tensor, gamma: number): Tensor {
  // A row that is surely right has the factor 0; its logarithm must stay finite for the gradient.
  const rest = maximum(sub(1, exp(neg(loss))), 1e-12);
  return exp(mul(log(rest), gamma));
}

/** Binary cross-entropy of each label of each example, for logits and labels [examples, labels] (0 or 1). */
export function binaryCrossEntropy(logits: Tensor, labels: Tensor): Loss {
  const count = mul(rowCount(logits), logits.shape[1] as number);
  return { lossSum: sumAll(sigmoidCrossEntropy(logits, labels)), count };
}

/** (logit - label)^2 for logits [examples, 1] and labels [examples]. */
export function squaredError(logits: Tensor, labels: Tensor): Loss {
  const error = sub(reshape(logits, labels.shape), labels);
  return { lossSum: sumAll(square(error)), count: rowCount(logits) };
}

function rowCount(logits: Tensor): Tensor {
  return cast(dimension(logits.graph, logits.shape[0] as string), 'float32');
}
