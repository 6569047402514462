/** Variables: tensors that stay in the session between calls. */
import { shapeVector } from './array-ops.ts';
import type { DType } from './dtype.ts';
import type { Graph, Node, Tensor } from './graph.ts';
import { identity, placeholder, scalar, single } from './ops.ts';

export type Variable = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** The resource handle, for ops that update in place. */
  readonly handle: Tensor;
  /** The value at the start of a call. */
  readonly value: Tensor;
  /** Feed `next` and fetch `assigned` to set the value. */
  readonly next: Tensor;
  readonly assigned: Tensor;
};

/** Adds a variable. It has no value until `assigned` was fetched once. */
export function variable(
  graph: Graph,
  name: string,
  shape: readonly number[],
  dtype: DType = 'float32',
): Variable {
  const attrs = { dtype: { type: dtype } };
  const handle = single(
    graph,
    'VarHandleOp',
    [],
    { dtype: 'resource', shape: [] },
    { ...attrs, shape: { shape }, shared_name: { string: name }, container: { string: '' } },
    { name: `variable/${name}` },
  );
  const value = readVariable(handle, shape, dtype, []);
  const next = placeholder(graph, `assign/${name}/value`, dtype, shape);
  // A fed tensor shares its memory with a JavaScript array: the variable must own a copy, it is updated in place.
  const assign = assignVariable(handle, deepCopy(next), []);
  const assigned = identity(scalar(graph, 'float32', 1), [assign], `assign/${name}/done`);
  return { name, shape, dtype, handle, value, next, assigned };
}

export function readVariable(
  handle: Tensor,
  shape: readonly number[],
  dtype: DType,
  controls: readonly Node[],
): Tensor {
  return single(
    handle.graph,
    'ReadVariableOp',
    [handle],
    { dtype, shape },
    { dtype: { type: dtype } },
    { controls },
  );
}

export function assignVariable(handle: Tensor, value: Tensor, controls: readonly Node[]): Node {
  return handle.graph.add(
    'AssignVariableOp',
    [handle, value],
    [],
    { dtype: { type: value.dtype } },
    { controls },
  );
}

/** Adds `value` to a variable, in place. */
export function addToVariable(handle: Tensor, value: Tensor): Node {
  return handle.graph.add('AssignAddVariableOp', [handle, value], [], { dtype: { type: value.dtype } });
}

/** Subtracts `value` from a variable, in place. */
export function subtractFromVariable(handle: Tensor, value: Tensor): Node {
  return handle.graph.add('AssignSubVariableOp', [handle, value], [], { dtype: { type: value.dtype } });
}

/** Adds row i of `rows` to row indices[i] of a variable, in place. No index may come twice. */
export function addToRows(handle: Tensor, indices: Tensor, rows: Tensor): Node {
  return handle.graph.add('ResourceScatterAdd', [handle, indices, rows], [], {
    dtype: { type: rows.dtype },
    Tindices: { type: indices.dtype },
  });
}

/** A fetch of the given name that sets float32 variables to zero. */
export function zeroVariables(graph: Graph, variables: readonly Variable[], name: string): Tensor {
  const assigns = variables.map(({ handle, shape }) => assignVariable(handle, ownZeros(graph, shape), []));
  return identity(scalar(graph, 'float32', 1), assigns, name);
}

/**
 * Filled zeros of one shape are one tensor to the optimiser of graphs. Variables that share it would be copied by their
 * first update, into whatever memory the activations of that step have left. It never merges this op.
 */
function ownZeros(graph: Graph, shape: readonly number[]): Tensor {
  return single(
    graph,
    'Empty',
    [shapeVector(graph, shape)],
    { dtype: 'float32', shape },
    { dtype: { type: 'float32' }, init: { bool: true } },
  );
}

function deepCopy(x: Tensor): Tensor {
  return single(x.graph, 'DeepCopy', [x], { dtype: x.dtype, shape: x.shape }, { T: { type: x.dtype } });
}
