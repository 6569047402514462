/** Numbers of places: they are counted, not learnt, so none of this has a gradient. */
import type { Tensor } from './graph.ts';
import { cast, scalar, single } from './ops.ts';

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
