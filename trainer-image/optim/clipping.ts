/** From gradients of a loss sum to gradients of the mean, clipped by their global norm. */
import { segmentSum } from '../graph/array-ops.ts';
import { type Gradient, isRowGradient, type RowGradient, type Tensor } from '../graph/graph.ts';
import { add, addN, div, l2Loss, minimum, mul, sqrt } from '../graph/ops.ts';

/**
 * Gradients of a loss *sum* over `count` examples (float scalar, not 0) become gradients of the mean, scaled down to the
 * norm `maxGradNorm` as torch.nn.utils.clip_grad_norm_ does; 0 = never. The norm is the one before clipping.
 */
export function clipByGlobalNorm(
  gradients: readonly Gradient[],
  count: Tensor,
  maxGradNorm: number,
): { gradientNorm: Tensor; clipped: Tensor[] } {
  const merged = gradients.map((gradient) => (isRowGradient(gradient) ? mergeRows(gradient) : gradient));
  const squares = merged.map((gradient) => l2Loss(isRowGradient(gradient) ? gradient.rows : gradient));
  const gradientNorm = div(sqrt(mul(addN(squares), 2)), count);
  const factor =
    maxGradNorm === 0 ? div(1, count) : div(minimum(div(maxGradNorm, add(gradientNorm, 1e-6)), 1), count);
  return { gradientNorm, clipped: merged.map((gradient) => scaled(gradient, factor)) };
}

/** One row for each index that occurs, so that neither norm nor sum needs a pass over the whole table. */
export function mergeRows({ rows, indices, table }: RowGradient): RowGradient {
  const name = `distinct ${rows.node.name}`;
  const unique = rows.graph.add(
    'Unique',
    [indices],
    [
      { dtype: 'int32', shape: [name] },
      { dtype: 'int32', shape: indices.shape },
    ],
    { T: { type: 'int32' }, out_idx: { type: 'int32' } },
  );
  const [distinct, position] = unique.outputs as readonly [Tensor, Tensor];
  const size = rows.graph.add('Size', [distinct], [{ dtype: 'int32', shape: [] }], {
    T: { type: 'int32' },
    out_type: { type: 'int32' },
  }).outputs[0] as Tensor;
  return { rows: segmentSum(rows, position, name, size), indices: distinct, table };
}

function scaled(gradient: Gradient, factor: Tensor): Tensor {
  if (!isRowGradient(gradient)) return mul(gradient, factor);
  return segmentSum(mul(gradient.rows, factor), gradient.indices, gradient.table[0] ?? 1);
}
