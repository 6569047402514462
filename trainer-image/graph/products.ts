/**
 * Matrix products, in the type that the graph computes them in. With bfloat16 they take and give it, summed up in float32
 * inside, as under PyTorch's autocast; all other arithmetic is float32 (ops.ts), and what only moves elements moves what it
 * gets.
 */
import type { Tensor } from './graph.ts';
import { cast, single } from './ops.ts';
import { matmulShape } from './shape.ts';

/** As an input of a product: float32 becomes what the graph computes products in. */
export function lowered(x: Tensor): Tensor {
  return x.dtype === 'float32' ? cast(x, x.graph.products) : x;
}

/** The product of [m, k] and [k, n], each side transposed first if asked. */
export function matmul(
  left: Tensor,
  right: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  const [a, b] = [lowered(left), lowered(right)];
  const shape = matmulShape(a.shape, b.shape, transposeA, transposeB);
  const attrs = {
    T: { type: a.dtype },
    transpose_a: { bool: transposeA },
    transpose_b: { bool: transposeB },
  };
  return single(a.graph, 'MatMul', [a, b], { dtype: a.dtype, shape }, attrs);
}

/** Products of the last two axes for each element of the leading ones, which must be equal on both sides. */
export function batchMatmul(
  left: Tensor,
  right: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  const [a, b] = [lowered(left), lowered(right)];
  const shape = matmulShape(a.shape, b.shape, transposeA, transposeB);
  const attrs = { T: { type: a.dtype }, adj_x: { bool: transposeA }, adj_y: { bool: transposeB } };
  return single(a.graph, 'BatchMatMulV2', [a, b], { dtype: a.dtype, shape }, attrs);
}
