/** Losses as sum and count: the mean over several batches is then exact, however the labels are spread over them. */
import { flattenRows, reshape } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { cast, greaterEqual, maximum, mul, sparseSoftmaxCrossEntropy, sumAll } from '../graph/ops.ts';
import { productDim } from '../graph/shape.ts';

/** -log softmax(logits)[label] for logits [..., classes] and int32 labels [...]; a negative label counts for nothing. */
export function crossEntropy(logits: Tensor, labels: Tensor): { lossSum: Tensor; count: Tensor } {
  const flat = reshape(labels, [productDim(labels.shape)]);
  const labelled = cast(greaterEqual(flat, 0), 'float32');
  const { loss } = sparseSoftmaxCrossEntropy(flattenRows(logits), maximum(flat, 0));
  return { lossSum: sumAll(mul(loss, labelled)), count: sumAll(labelled) };
}
