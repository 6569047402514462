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

type Transposes = { transposeA?: boolean; transposeB?: boolean };

/** The product of [m, k] and [k, n], each side transposed first if asked. */
export function matmul(left: Tensor, right: Tensor, transposes: Transposes = {}): Tensor {
  return product('MatMul', ['transpose_a', 'transpose_b'], [left, right], transposes);
}

/** Products of the last two axes for each element of the leading ones, which must be equal on both sides. */
export function batchMatmul(left: Tensor, right: Tensor, transposes: Transposes = {}): Tensor {
  return product('BatchMatMulV2', ['adj_x', 'adj_y'], [left, right], transposes);
}

/** `flags`: what the op calls the transposes of its sides. */
function product(
  op: 'MatMul' | 'BatchMatMulV2',
  [flagA, flagB]: readonly [string, string],
  [left, right]: readonly [Tensor, Tensor],
  { transposeA = false, transposeB = false }: Transposes,
): Tensor {
  const [a, b] = [lowered(left), lowered(right)];
  const shape = matmulShape(a.shape, b.shape, transposeA, transposeB);
  const attrs = { T: { type: a.dtype }, [flagA]: { bool: transposeA }, [flagB]: { bool: transposeB } };
  return single(a.graph, op, [a, b], { dtype: a.dtype, shape }, attrs);
}
