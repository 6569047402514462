/** Losses as sum and count: the mean over several batches is then exact, however the labels are spread over them. */
import { dimension, flattenRows, reshape } from '../graph/array-ops.ts';
import { crossEntropy as crossEntropyOf } from '../graph/cross-entropy.ts';
import type { Tensor } from '../graph/graph.ts';
import { sigmoidCrossEntropy } from '../graph/neural.ts';
import { cast, greaterEqual, maximum, mul, square, sub, sumAll } from '../graph/ops.ts';
import { productDim } from '../graph/shape.ts';

export type Loss = { lossSum: Tensor; count: Tensor };

/**
 * -log softmax(logits)[label] for logits [..., classes] and int32 labels [...]; a negative label counts for nothing.
 * Smoothing as PyTorch's CrossEntropyLoss has it.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, labelSmoothing = 0): Loss {
  const flat = reshape(labels, [productDim(labels.shape)]);
  const labelled = cast(greaterEqual(flat, 0), 'float32');
  const losses = crossEntropyOf(flattenRows(logits), maximum(flat, 0), labelSmoothing);
  return { lossSum: sumAll(mul(losses, labelled)), count: sumAll(labelled) };
}

/** Binary cross-entropy of each label of each row, for logits and labels [batch, labels] (0 or 1). */
export function binaryCrossEntropy(logits: Tensor, labels: Tensor): Loss {
  const count = mul(rowCount(logits), logits.shape[1] as number);
  return { lossSum: sumAll(sigmoidCrossEntropy(logits, labels)), count };
}

/** (logit - label)^2 for logits [batch, 1] and labels [batch]. */
export function squaredError(logits: Tensor, labels: Tensor): Loss {
  const error = sub(reshape(logits, labels.shape), labels);
  return { lossSum: sumAll(square(error)), count: rowCount(logits) };
}

function rowCount(logits: Tensor): Tensor {
  return cast(dimension(logits.graph, logits.shape[0] as string), 'float32');
}
