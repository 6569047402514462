/** R-Drop (Liang et al., 2021): two predictions of the same rows under different dropout masks should agree. */
import { flattenRows, reshape } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { add, cast, exp, greaterEqual, logSoftmax, mul, sub, sum, sumAll } from '../graph/ops.ts';
import { productDim } from '../graph/shape.ts';
import type { SummedLoss } from '../optim/update.ts';

/**
 * The mean of the losses of both predictions, plus `alpha` times how far they are apart: the mean of both Kullback-Leibler
 * divergences, summed over the rows with a label (not negative).
 * @param logits two of shape [..., classes], for int32 labels [...]
 */
export function rDropLoss(
  logits: readonly [Tensor, Tensor],
  labels: Tensor,
  alpha: number,
  loss: (logits: Tensor) => SummedLoss,
): SummedLoss {
  const [first, second] = logits;
  const [a, b] = [loss(first), loss(second)];
  const flat = reshape(labels, [productDim(labels.shape)]);
  const labelled = cast(greaterEqual(flat, 0), 'float32');
  const apart = sumAll(mul(divergence(flattenRows(first), flattenRows(second)), labelled));
  return { lossSum: add(mul(add(a.lossSum, b.lossSum), 0.5), mul(apart, alpha)), count: a.count };
}

/** (KL(p, q) + KL(q, p)) / 2 = sum((p - q) (log p - log q)) / 2 for each row of two logits [rows, classes]. */
export function divergence(first: Tensor, second: Tensor): Tensor {
  const [logP, logQ] = [logSoftmax(first), logSoftmax(second)];
  return mul(sum(mul(sub(exp(logP), exp(logQ)), sub(logP, logQ)), [1]), 0.5);
}
