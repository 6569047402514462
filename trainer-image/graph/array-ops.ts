/** TensorFlow ops that move elements: reshape, transpose, slice, gather and their like. */
import { type Dim, type Graph, type Shape, sizeOf, type Tensor } from './graph.ts';
import { constant, mul, scalar, single, widened } from './ops.ts';
import { productDim, sameShape } from './shape.ts';

/** int32 scalar with the value of a dimension; a name such as 'batch*length' is the product of its factors. */
export function dimension(graph: Graph, dim: Dim): Tensor {
  if (typeof dim === 'number') return scalar(graph, 'int32', dim);
  const factors = dim.split('*');
  if (factors.length > 1) graph.defineDimension(dim, () => factors.map(factor).reduce((a, b) => mul(a, b)));
  return graph.dimension(dim);

  function factor(name: string): Tensor {
    return dimension(graph, /^\d+$/.test(name) ? Number(name) : name);
  }
}

/** int32 vector with the values of a shape. */
export function shapeVector(graph: Graph, shape: Shape): Tensor {
  if (shape.every((dim) => typeof dim === 'number')) return constant(graph, 'int32', shape as number[]);
  return stack(shape.map((dim) => dimension(graph, dim)));
}

/** The same elements in another shape. One dimension may be a product of named ones ('batch*length'). */
export function reshape(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const named = shape.filter((dim) => typeof dim === 'string').length;
  const target =
    named <= 1
      ? constant(
          x.graph,
          'int32',
          shape.map((dim) => (typeof dim === 'string' ? -1 : dim)),
        )
      : shapeVector(x.graph, shape);
  return single(
    x.graph,
    'Reshape',
    [x, target],
    { dtype: x.dtype, shape },
    { T: { type: x.dtype }, Tshape: { type: 'int32' } },
  );
}

/** [a, b, ..., n] -> [a*b*..., n]. */
export function flattenRows(x: Tensor): Tensor {
  return reshape(x, [productDim(x.shape.slice(0, -1)), ...x.shape.slice(-1)]);
}

/** Axis i of the result is axis permutation[i] of x. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return single(
    x.graph,
    'Transpose',
    [x, constant(x.graph, 'int32', permutation)],
    { dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis] as Dim) },
    { T: { type: x.dtype }, Tperm: { type: 'int32' } },
  );
}

/** Tensors of equal shape side by side along a new first axis. */
export function stack(tensors: readonly Tensor[]): Tensor {
  const first = tensors[0] as Tensor;
  return single(
    first.graph,
    'Pack',
    tensors,
    { dtype: first.dtype, shape: [tensors.length, ...first.shape] },
    { N: { int: tensors.length }, T: { type: first.dtype }, axis: { int: 0 } },
  );
}

/** The slices along the first axis, without it: the opposite of stack. The data is shared, not copied. */
export function unstack(x: Tensor): readonly Tensor[] {
  const [count, ...rest] = x.shape;
  if (typeof count !== 'number') throw new Error('Only a fixed first axis can be unstacked.');
  const output = { dtype: x.dtype, shape: rest };
  return x.graph.add('Unpack', [x], Array(count).fill(output), {
    num: { int: count },
    T: { type: x.dtype },
    axis: { int: 0 },
  }).outputs;
}

/** Tensors one after the other along an existing axis. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const first = tensors[0] as Tensor;
  const total = tensors.reduce((length, tensor) => length + sizeOf([tensor.shape[axis] as Dim]), 0);
  return single(
    first.graph,
    'ConcatV2',
    [...tensors, scalar(first.graph, 'int32', axis)],
    { dtype: first.dtype, shape: first.shape.map((dim, i) => (i === axis ? total : dim)) },
    { N: { int: tensors.length }, T: { type: first.dtype }, Tidx: { type: 'int32' } },
  );
}

/** The block of `size` that starts at `begin`. */
export function slice(x: Tensor, begin: readonly number[], size: Shape): Tensor {
  return single(
    x.graph,
    'Slice',
    [x, constant(x.graph, 'int32', begin), shapeVector(x.graph, size)],
    { dtype: x.dtype, shape: size },
    { T: { type: x.dtype }, Index: { type: 'int32' } },
  );
}

/** x inside a block of zeros of the given shape, starting at `begin`: the opposite of slice. */
export function padTo(x: Tensor, begin: readonly number[], shape: Shape): Tensor {
  const graph = x.graph;
  const after = shape.map((dim, axis) => {
    const used = x.shape[axis] as Dim;
    const start = begin[axis] as number;
    if (dim === used) return scalar(graph, 'int32', -start);
    return single(
      graph,
      'Sub',
      [dimension(graph, dim), addOffset(dimension(graph, used), start)],
      { dtype: 'int32', shape: [] },
      { T: { type: 'int32' } },
    );
  });
  const paddings = stack([constant(graph, 'int32', begin), stack(after)]); // [2, rank]
  return single(
    graph,
    'Pad',
    [x, transpose(paddings, [1, 0])],
    { dtype: x.dtype, shape },
    { T: { type: x.dtype }, Tpaddings: { type: 'int32' } },
  );
}

/**
 * Turns scores by distance into scores by place: x [..., n, 2n], whose column c belongs to the distance n - c between row
 * and column, becomes y [..., n, n] with y[i, j] = x[i, n - (i - j)]. In memory each row only begins one element later.
 */
export function byPlace(x: Tensor): Tensor {
  const rest = x.shape.slice(0, -2);
  const start = rest.map(() => 0);
  const n = x.shape.at(-2) as Dim;
  const wide = x.shape.at(-1) as Dim;
  const narrow = oneLess(x.graph, wide);
  const withoutFirst = slice(reshape(x, [...rest, wide, n]), [...start, 1, 0], [...rest, narrow, n]);
  return slice(reshape(withoutFirst, [...rest, n, narrow]), [...start, 0, 0], [...rest, n, n]);
}

function oneLess(graph: Graph, dim: Dim): Dim {
  if (typeof dim === 'number') return dim - 1;
  const name = `${dim}-1`;
  graph.defineDimension(name, () => addOffset(dimension(graph, dim), -1));
  return name;
}

function addOffset(x: Tensor, offset: number): Tensor {
  if (offset === 0) return x;
  const other = scalar(x.graph, 'int32', offset);
  return single(x.graph, 'AddV2', [x, other], { dtype: 'int32', shape: [] }, { T: { type: 'int32' } });
}

/** Rows of `table` ([rows, ...]) chosen by int32 `indices`. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  return single(
    table.graph,
    'GatherV2',
    [table, indices, scalar(table.graph, 'int32', 0)],
    { dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] },
    {
      Tparams: { type: table.dtype },
      Tindices: { type: indices.dtype },
      Taxis: { type: 'int32' },
      batch_dims: { int: 0 },
    },
  );
}

/** Sum of those `rows` ([n, ...]) that share an index ([n]); `count` is a dimension or an int32 scalar. */
export function segmentSum(rows: Tensor, indices: Tensor, count: Dim, countTensor?: Tensor): Tensor {
  const data = widened(rows);
  return single(
    data.graph,
    'UnsortedSegmentSum',
    [data, indices, countTensor ?? dimension(data.graph, count)],
    { dtype: data.dtype, shape: [count, ...data.shape.slice(1)] },
    { T: { type: data.dtype }, Tindices: { type: indices.dtype }, Tnumsegments: { type: 'int32' } },
  );
}

/** x repeated along its axes of size 1 until it has `shape`. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  return single(
    x.graph,
    'BroadcastTo',
    [x, shapeVector(x.graph, shape)],
    { dtype: x.dtype, shape },
    { T: { type: x.dtype }, Tidx: { type: 'int32' } },
  );
}

/** Place of the largest element along the last axis, int32; the first of equal ones. */
export function argMax(x: Tensor): Tensor {
  return single(
    x.graph,
    'ArgMax',
    [x, scalar(x.graph, 'int32', x.shape.length - 1)],
    { dtype: 'int32', shape: x.shape.slice(0, -1) },
    { T: { type: x.dtype }, Tidx: { type: 'int32' }, output_type: { type: 'int32' } },
  );
}
