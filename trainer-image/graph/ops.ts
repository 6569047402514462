/**
 * TensorFlow ops as functions: arithmetic and reductions. Each one knows the shape of its result. What a matrix product
 * gives in bfloat16 is counted on in float32: each op here casts it first.
 */
import type { DType } from './dtype.ts';
import type { Attr, Graph, Node, Shape, Tensor } from './graph.ts';
import { broadcastShape, reducedShape } from './shape.ts';

/** The only output of a new node. */
export function single(
  graph: Graph,
  op: string,
  inputs: readonly Tensor[],
  output: { dtype: DType; shape: Shape },
  attrs: Record<string, Attr> = {},
  options: { name?: string; controls?: readonly Node[] } = {},
): Tensor {
  return graph.add(op, inputs, [output], attrs, options).outputs[0] as Tensor;
}

/** Input of the graph. Its named dimensions become known to the graph. */
export function placeholder(graph: Graph, name: string, dtype: DType, shape: Shape): Tensor {
  const tensor = single(
    graph,
    'Placeholder',
    [],
    { dtype, shape },
    { dtype: { type: dtype }, shape: { shape } },
    { name },
  );
  for (const [axis, dim] of shape.entries()) {
    if (typeof dim !== 'string') continue;
    graph.defineDimension(dim, () => {
      const sizes = single(
        graph,
        'Shape',
        [tensor],
        { dtype: 'int32', shape: [shape.length] },
        { T: { type: dtype }, out_type: { type: 'int32' } },
      );
      const element = single(
        graph,
        'Slice',
        [sizes, constant(graph, 'int32', [axis]), constant(graph, 'int32', [1])],
        { dtype: 'int32', shape: [1] },
        { T: { type: 'int32' }, Index: { type: 'int32' } },
      );
      return single(
        graph,
        'Reshape',
        [element, constant(graph, 'int32', [], [0])],
        { dtype: 'int32', shape: [] },
        { T: { type: 'int32' }, Tshape: { type: 'int32' } },
      );
    });
  }
  return tensor;
}

/** A constant vector of `values`, or a tensor of the given shape; the same constant is the same node. */
export function constant(
  graph: Graph,
  dtype: DType,
  values: readonly number[],
  shape: readonly number[] = [values.length],
): Tensor {
  const bytes = constantBytes(dtype, values);
  const attrs = { dtype: { type: dtype }, value: { tensor: { dtype, shape, bytes } } } as const;
  return graph.constant(`${dtype} ${shape} ${Buffer.from(bytes).toString('base64')}`, () =>
    single(graph, 'Const', [], { dtype, shape }, attrs),
  );
}

export function scalar(graph: Graph, dtype: DType, value: number): Tensor {
  return constant(graph, dtype, [value], []);
}

function constantBytes(dtype: DType, values: readonly number[]): Uint8Array {
  switch (dtype) {
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer);
    case 'float64':
      return new Uint8Array(Float64Array.from(values).buffer);
    case 'int32':
      return new Uint8Array(Int32Array.from(values).buffer);
    case 'uint8':
      return Uint8Array.from(values);
    case 'bfloat16': // the upper halves of float32, for numbers that they hold
      return new Uint8Array(
        Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16).buffer,
      );
    default:
      throw new Error(`No constants of type ${dtype}: cast one of another type.`);
  }
}

/** As an input of arithmetic: bfloat16 becomes float32. */
export function widened(x: Tensor): Tensor {
  return x.dtype === 'bfloat16' ? cast(x, 'float32') : x;
}

function binary(op: string, a: Tensor, b: Tensor, dtype: DType = a.dtype): Tensor {
  if (a.dtype !== b.dtype) throw new Error(`${op} of ${a.dtype} and ${b.dtype}.`);
  return single(
    a.graph,
    op,
    [a, b],
    { dtype, shape: broadcastShape(a.shape, b.shape) },
    { T: { type: a.dtype } },
  );
}

function unary(op: string, input: Tensor): Tensor {
  const x = widened(input);
  return single(x.graph, op, [x], { dtype: x.dtype, shape: x.shape }, { T: { type: x.dtype } });
}

/** Either operand of a product, sum, ... may be a plain number. */
type Operand = Tensor | number;
function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a !== 'number') {
    const left = widened(a);
    return [left, typeof b === 'number' ? scalar(left.graph, left.dtype, b) : widened(b)];
  }
  if (typeof b === 'number') throw new Error('One operand must be a tensor.');
  const right = widened(b);
  return [scalar(right.graph, right.dtype, a), right];
}

export const add = (a: Operand, b: Operand): Tensor => binary('AddV2', ...operands(a, b));
export const sub = (a: Operand, b: Operand): Tensor => binary('Sub', ...operands(a, b));
export const mul = (a: Operand, b: Operand): Tensor => binary('Mul', ...operands(a, b));
export const div = (a: Operand, b: Operand): Tensor => binary('RealDiv', ...operands(a, b));
export const minimum = (a: Operand, b: Operand): Tensor => binary('Minimum', ...operands(a, b));
export const maximum = (a: Operand, b: Operand): Tensor => binary('Maximum', ...operands(a, b));
export const greaterEqual = (a: Operand, b: Operand): Tensor =>
  binary('GreaterEqual', ...operands(a, b), 'bool');
export const notEqual = (a: Operand, b: Operand): Tensor => binary('NotEqual', ...operands(a, b), 'bool');
export const squaredDifference = (a: Operand, b: Operand): Tensor =>
  binary('SquaredDifference', ...operands(a, b));

export const neg = (x: Tensor): Tensor => unary('Neg', x);
export const square = (x: Tensor): Tensor => unary('Square', x);
export const sqrt = (x: Tensor): Tensor => unary('Sqrt', x);
export const rsqrt = (x: Tensor): Tensor => unary('Rsqrt', x);
export const exp = (x: Tensor): Tensor => unary('Exp', x);
export const log = (x: Tensor): Tensor => unary('Log', x);
export const erf = (x: Tensor): Tensor => unary('Erf', x);
export const sigmoid = (x: Tensor): Tensor => unary('Sigmoid', x);
export const tanh = (x: Tensor): Tensor => unary('Tanh', x);
export const relu = (x: Tensor): Tensor => unary('Relu', x);
export const softmax = (x: Tensor): Tensor => unary('Softmax', x);
export const logSoftmax = (x: Tensor): Tensor => unary('LogSoftmax', x);

/** x. With `controls`, also waits for those nodes: the way to hang updates on a fetch. */
export function identity(x: Tensor, controls: readonly Node[] = [], name = 'Identity'): Tensor {
  return single(
    x.graph,
    'Identity',
    [x],
    { dtype: x.dtype, shape: x.shape },
    { T: { type: x.dtype } },
    { name, controls },
  );
}

export function cast(x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype) return x;
  return single(
    x.graph,
    'Cast',
    [x],
    { dtype, shape: x.shape },
    { SrcT: { type: x.dtype }, DstT: { type: dtype } },
  );
}

/** Reads the same bytes as another type. The caller gives the shape, since a size ratio adds or takes the last axis. */
export function bitcast(x: Tensor, dtype: DType, shape: Shape): Tensor {
  return single(x.graph, 'Bitcast', [x], { dtype, shape }, { T: { type: x.dtype }, type: { type: dtype } });
}

/** condition ? a : b, element by element. */
export function select(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShape(condition.shape, broadcastShape(a.shape, b.shape));
  return single(a.graph, 'SelectV2', [condition, a, b], { dtype: a.dtype, shape }, { T: { type: a.dtype } });
}

function reduce(op: string, input: Tensor, axes: readonly number[], keepDims: boolean): Tensor {
  const x = widened(input);
  return single(
    x.graph,
    op,
    [x, constant(x.graph, 'int32', axes)],
    { dtype: x.dtype, shape: reducedShape(x.shape, axes, keepDims) },
    { T: { type: x.dtype }, Tidx: { type: 'int32' }, keep_dims: { bool: keepDims } },
  );
}

/** Sum over `axes` (not negative). */
export const sum = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
  reduce('Sum', x, axes, keepDims);
export const mean = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
  reduce('Mean', x, axes, keepDims);
export const sumAll = (x: Tensor): Tensor =>
  sum(
    x,
    x.shape.map((_, axis) => axis),
  );

/** Half the sum of squares, in one pass. */
export function l2Loss(x: Tensor): Tensor {
  return single(x.graph, 'L2Loss', [x], { dtype: x.dtype, shape: [] }, { T: { type: x.dtype } });
}

export function addN(addends: readonly Tensor[]): Tensor {
  const [only] = addends;
  if (only === undefined) throw new Error('addN of nothing.');
  if (addends.length === 1) return only;
  const tensors = addends.map(widened);
  const first = tensors[0] as Tensor;
  return single(
    first.graph,
    'AddN',
    tensors,
    { dtype: first.dtype, shape: first.shape },
    { N: { int: tensors.length }, T: { type: first.dtype } },
  );
}

/** x + bias over the last axis, in the type of x: TensorFlow makes it part of the product that x comes from. */
export function biasAdd(x: Tensor, bias: Tensor): Tensor {
  return single(
    x.graph,
    'BiasAdd',
    [x, cast(bias, x.dtype)],
    { dtype: x.dtype, shape: x.shape },
    { T: { type: x.dtype }, data_format: { string: 'NHWC' } },
  );
}

/** Sum over all axes but the last: the gradient of a bias. */
export function biasAddGrad(dOutput: Tensor): Tensor {
  const dy = widened(dOutput);
  return single(
    dy.graph,
    'BiasAddGrad',
    [dy],
    { dtype: dy.dtype, shape: dy.shape.slice(-1) },
    { T: { type: dy.dtype }, data_format: { string: 'NHWC' } },
  );
}

/** -log softmax(logits)[label] for each row ([rows]) and its gradient with respect to the logits ([rows, classes]). */
export function sparseSoftmaxCrossEntropy(
  logits: Tensor,
  labels: Tensor,
): { loss: Tensor; backprop: Tensor } {
  const node = logits.graph.add(
    'SparseSoftmaxCrossEntropyWithLogits',
    [logits, labels],
    [
      { dtype: logits.dtype, shape: labels.shape },
      { dtype: logits.dtype, shape: logits.shape },
    ],
    { T: { type: logits.dtype }, Tlabels: { type: labels.dtype } },
  );
  const [loss, backprop] = node.outputs;
  return { loss: loss as Tensor, backprop: backprop as Tensor };
}
