/** Numbers of places: they are counted, not learnt, so none of this has a gradient. */
import { dimension, reshape } from './array-ops.ts';
import type { Dim, Graph, Tensor } from './graph.ts';
import { cast, constant, maximum, mul, neg, scalar, single, sub } from './ops.ts';

/** int32 [0, 1, ..., size - 1]. */
export function range(graph: Graph, size: Dim): Tensor {
  const inputs = [scalar(graph, 'int32', 0), dimension(graph, size), scalar(graph, 'int32', 1)];
  return single(graph, 'Range', inputs, { dtype: 'int32', shape: [size] }, { Tidx: { type: 'int32' } });
}

/** |i - j| for places i and j of a row, float32 [size, size]. */
export function distances(graph: Graph, size: Dim): Tensor {
  const places = cast(range(graph, size), 'float32');
  const difference = sub(reshape(places, [size, 1]), reshape(places, [1, size]));
  return maximum(difference, neg(difference));
}

/**
 * Cosine and sine of place * frequency for each place and each frequency base^(-2i / depth), 0 <= i < depth / 2:
 * float32 [size, depth / 2] each. Frequencies are rounded to float32 where PyTorch rounds them.
 */
export function rotaryAngles(
  graph: Graph,
  { size, depth, base }: { size: Dim; depth: number; base: number },
): { cos: Tensor; sin: Tensor } {
  const frequencies = Array.from({ length: depth / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(base ** Math.fround((2 * i) / depth))),
  );
  const places = reshape(cast(range(graph, size), 'float32'), [size, 1]);
  const angles = mul(places, constant(graph, 'float32', frequencies, [1, depth / 2]));
  const of = (op: 'Cos' | 'Sin') => single(graph, op, [angles], angles, { T: { type: 'float32' } });
  return { cos: of('Cos'), sin: of('Sin') };
}

/**
 * Sums of the elements up to each place of the last axis, for whole numbers below 2^24. They are added as float32, the
 * type for which TensorFlow has this op on every device.
 */
export function runningCount(x: Tensor): Tensor {
  const sums = single(
    x.graph,
    'Cumsum',
    [cast(x, 'float32'), scalar(x.graph, 'int32', x.shape.length - 1)],
    { dtype: 'float32', shape: x.shape },
    { T: { type: 'float32' }, Tidx: { type: 'int32' }, exclusive: { bool: false }, reverse: { bool: false } },
  );
  return cast(sums, 'int32');
}
