/** The loss of classification, row by row. */
import type { Tensor } from './graph.ts';
import { add, logSoftmax, mean, mul, sparseSoftmaxCrossEntropy } from './ops.ts';

/**
 * -log softmax(logits)[label] for each row, from logits [rows, classes] and int32 labels [rows]. With `smoothing` s the
 * wanted probability of a label is 1 - s plus its part of s, which all classes share: torch.nn.CrossEntropyLoss.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, smoothing = 0): Tensor {
  const { loss } = sparseSoftmaxCrossEntropy(logits, labels);
  if (smoothing === 0) return loss;
  const overClasses = mean(logSoftmax(logits), [logits.shape.length - 1]); // [rows]
  return add(mul(loss, 1 - smoothing), mul(overClasses, -smoothing));
}
