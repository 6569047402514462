/**
 * The gradient of each op: from d(loss)/d(outputs) to d(loss)/d(inputs). `needs` says which inputs are asked for, so
 * that frozen parts cost nothing. An op that is not in this table cannot be trained through.
 */
import { broadcastTo, padTo, reshape, slice, stack, transpose, unstack } from './array-ops.ts';
import { type Attr, type Gradient, type Node, type Shape, sizeOf, type Tensor } from './graph.ts';
import {
  biasAddGrad,
  cast,
  div,
  exp,
  greaterEqual,
  mul,
  neg,
  scalar,
  select,
  square,
  sub,
  sum,
} from './ops.ts';
import { batchMatmul, matmul } from './products.ts';
import { broadcastAxes, productDim, reducedShape } from './shape.ts';

export type GradientFunction = (
  node: Node,
  dOutputs: readonly (Tensor | undefined)[],
  needs: readonly boolean[],
) => readonly (Gradient | undefined)[];

/** Gradient of an op with one output: dy, the inputs and the output of the node, and the node. */
type Simple = (
  dy: Tensor,
  inputs: readonly Tensor[],
  y: Tensor,
  node: Node,
  needs: readonly boolean[],
) => readonly (Gradient | undefined)[];

function simple(gradient: Simple): GradientFunction {
  return (node, [dy], needs) => gradient(dy as Tensor, node.inputs, node.outputs[0] as Tensor, node, needs);
}

/** An elementwise op of one input. */
function elementwise(derivative: (dy: Tensor, x: Tensor, y: Tensor) => Tensor): GradientFunction {
  return simple((dy, [x], y) => [derivative(dy, x as Tensor, y)]);
}

/** An elementwise op of two inputs that may have been broadcast. */
function broadcasting(
  left: (dy: Tensor, a: Tensor, b: Tensor) => Tensor,
  right: (dy: Tensor, a: Tensor, b: Tensor) => Tensor,
): GradientFunction {
  return simple((dy, inputs, _y, _node, needs) => {
    const [a, b] = inputs as [Tensor, Tensor];
    return [
      needs[0] ? unbroadcast(left(dy, a, b), a.shape) : undefined,
      needs[1] ? unbroadcast(right(dy, a, b), b.shape) : undefined,
    ];
  });
}

/** Sums over the axes that broadcasting has added or stretched. */
function unbroadcast(gradient: Tensor, shape: Shape): Tensor {
  const axes = broadcastAxes(shape, gradient.shape);
  return axes.length === 0 ? gradient : reshape(sum(gradient, axes), shape);
}

const flag = (node: Node, name: string): boolean =>
  (node.attrs[name] as Extract<Attr, { bool: boolean }>).bool;

/** Values of a constant int32 input, such as the axes of a reduction. */
function constantInts(tensor: Tensor): number[] {
  const { value } = tensor.node.attrs;
  if (value === undefined || !('tensor' in value))
    throw new Error(`'${tensor.node.name}' is not a constant.`);
  const { bytes } = value.tensor;
  return [...new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
}

const product =
  (multiply: typeof matmul, transposes: [string, string]): GradientFunction =>
  (node, [dOutput], needs) => {
    const [a, b] = node.inputs as [Tensor, Tensor];
    const dy = dOutput as Tensor;
    const ta = flag(node, transposes[0]);
    const tb = flag(node, transposes[1]);
    const dA = () =>
      ta ? multiply(b, dy, { transposeA: tb, transposeB: true }) : multiply(dy, b, { transposeB: !tb });
    const dB = () =>
      tb ? multiply(dy, a, { transposeA: true, transposeB: ta }) : multiply(a, dy, { transposeA: !ta });
    return [needs[0] ? dA() : undefined, needs[1] ? dB() : undefined];
  };

/** dy as it was before the reduction: axes back as size 1, then repeated. */
function unreduce(dy: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  return broadcastTo(reshape(dy, reducedShape(x.shape, axes, true)), x.shape);
}

export const opGradients: Readonly<Record<string, GradientFunction>> = {
  Identity: elementwise((dy) => dy),
  Neg: elementwise((dy) => neg(dy)),
  Square: elementwise((dy, x) => mul(dy, mul(x, 2))),
  Sqrt: elementwise((dy, _x, y) => div(mul(dy, 0.5), y)),
  Rsqrt: elementwise((dy, _x, y) => mul(dy, mul(mul(y, square(y)), -0.5))),
  Exp: elementwise((dy, _x, y) => mul(dy, y)),
  Log: elementwise((dy, x) => div(dy, x)),
  Erf: elementwise((dy, x) => mul(dy, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))),
  Tanh: elementwise((dy, _x, y) => mul(dy, sub(1, square(y)))),
  Relu: elementwise((dy, x) => select(greaterEqual(x, 0), dy, scalar(dy.graph, dy.dtype, 0))),
  Softmax: elementwise((dy, _x, y) => mul(sub(dy, sum(mul(dy, y), [y.shape.length - 1], true)), y)),
  LogSoftmax: elementwise((dy, _x, y) => sub(dy, mul(exp(y), sum(dy, [y.shape.length - 1], true)))),
  Cast: elementwise((dy, x) => cast(dy, x.dtype)),

  AddV2: broadcasting(
    (dy) => dy,
    (dy) => dy,
  ),
  Sub: broadcasting(
    (dy) => dy,
    (dy) => neg(dy),
  ),
  Mul: broadcasting(
    (dy, _a, b) => mul(dy, b),
    (dy, a) => mul(dy, a),
  ),
  RealDiv: broadcasting(
    (dy, _a, b) => div(dy, b),
    (dy, a, b) => neg(mul(dy, div(div(a, b), b))),
  ),
  SquaredDifference: broadcasting(
    (dy, a, b) => mul(dy, mul(sub(a, b), 2)),
    (dy, a, b) => mul(dy, mul(sub(a, b), -2)),
  ),
  Maximum: broadcasting(
    (dy, a, b) => select(greaterEqual(a, b), dy, scalar(dy.graph, dy.dtype, 0)),
    (dy, a, b) => select(greaterEqual(a, b), scalar(dy.graph, dy.dtype, 0), dy),
  ),
  Minimum: broadcasting(
    (dy, a, b) => select(greaterEqual(a, b), scalar(dy.graph, dy.dtype, 0), dy),
    (dy, a, b) => select(greaterEqual(a, b), dy, scalar(dy.graph, dy.dtype, 0)),
  ),
  SelectV2: (node, [dOutput], needs) => {
    const [condition, a, b] = node.inputs as [Tensor, Tensor, Tensor];
    const dy = dOutput as Tensor;
    const zero = scalar(dy.graph, dy.dtype, 0);
    return [
      undefined,
      needs[1] ? unbroadcast(select(condition, dy, zero), a.shape) : undefined,
      needs[2] ? unbroadcast(select(condition, zero, dy), b.shape) : undefined,
    ];
  },
  AddN: (node, [dy]) => node.inputs.map(() => dy),

  MatMul: product(matmul, ['transpose_a', 'transpose_b']),
  BatchMatMulV2: product(batchMatmul, ['adj_x', 'adj_y']),
  BiasAdd: simple((dy, _inputs, _y, _node, needs) => [
    needs[0] ? dy : undefined,
    needs[1] ? biasAddGrad(dy) : undefined,
  ]),

  Sum: simple((dy, [x, axes]) => [unreduce(dy, x as Tensor, constantInts(axes as Tensor))]),
  Mean: simple((dy, [x, axes]) => {
    const reduced = constantInts(axes as Tensor);
    const count = sizeOf(reduced.map((axis) => (x as Tensor).shape[axis] ?? 1));
    return [unreduce(mul(dy, 1 / count), x as Tensor, reduced)];
  }),
  L2Loss: simple((dy, [x]) => [mul(dy, x as Tensor)]),

  Reshape: simple((dy, [x]) => [reshape(dy, (x as Tensor).shape)]),
  Transpose: simple((dy, [, permutation]) => {
    const forward = constantInts(permutation as Tensor);
    return [
      transpose(
        dy,
        forward.map((_, axis) => forward.indexOf(axis)),
      ),
    ];
  }),
  Pack: simple((dy) => unstack(dy)),
  Unpack: (node, dOutputs) => {
    const zero = node.outputs.map((output, index) => dOutputs[index] ?? mul(output, 0));
    return [stack(zero)];
  },
  ConcatV2: simple((dy, inputs) => {
    const tensors = inputs.slice(0, -1);
    const [axis] = constantInts(inputs.at(-1) as Tensor) as [number];
    let start = 0;
    return tensors.map((tensor) => {
      const begin = tensor.shape.map((_, i) => (i === axis ? start : 0));
      start += sizeOf([tensor.shape[axis] ?? 0]);
      return slice(dy, begin, tensor.shape);
    });
  }),
  Slice: simple((dy, [x, begin]) => [padTo(dy, constantInts(begin as Tensor), (x as Tensor).shape)]),
  GatherV2: simple((dy, [table, indices]) => {
    const { shape } = table as Tensor;
    const count = (indices as Tensor).shape.length;
    const flat = reshape(indices as Tensor, [productDim(dy.shape.slice(0, count))]);
    return [{ rows: reshape(dy, [...flat.shape, ...shape.slice(1)]), indices: flat, table: shape }];
  }),
  SparseSoftmaxCrossEntropyWithLogits: (node, [dLoss]) => {
    const backprop = node.outputs[1] as Tensor;
    const column = reshape(dLoss as Tensor, [...(dLoss as Tensor).shape, 1]);
    return [mul(column, backprop), undefined];
  },
};
