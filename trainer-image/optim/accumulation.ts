/** Gradients of several micro-batches summed in variables, for batches that are larger than the memory allows. */
import { type Gradient, type Graph, isRowGradient, type Node, type Tensor } from '../graph/graph.ts';
import { identity, placeholder, scalar } from '../graph/ops.ts';
import { addToRows, addToVariable, type Variable, variable, zeroVariables } from '../graph/variables.ts';
import { mergeRows } from './clipping.ts';

export type Accumulation = {
  /** Fetch: the sums begin at zero. */
  readonly clear: Tensor;
  /** Fetch: adds the gradients of the micro-batch that is fed. */
  readonly added: Tensor;
  /** The sums. */
  readonly gradients: readonly Tensor[];
  /** Float scalar to feed with `gradients`: examples in all micro-batches together. */
  readonly count: Tensor;
};

/** Sums of `gradients`, one for each weight. A gradient can be freed as soon as it is added. */
export function accumulate(
  graph: Graph,
  weights: readonly Variable[],
  gradients: readonly Gradient[],
): Accumulation {
  const sums = weights.map(({ name, shape }) => variable(graph, `${name}.accumulated`, shape));
  const additions = gradients.map((gradient, index) => addGradient(sums[index] as Variable, gradient));
  return {
    clear: zeroVariables(graph, sums, 'clear_accumulated'),
    added: identity(scalar(graph, 'float32', 1), additions, 'accumulate'),
    gradients: sums.map(({ value }) => value),
    count: placeholder(graph, 'accumulated_count', 'float32', []),
  };
}

function addGradient(sum: Variable, gradient: Gradient): Node {
  if (!isRowGradient(gradient)) return addToVariable(sum.handle, gradient);
  // Merged first: with each row only once, the order of the additions cannot change the result.
  const { rows, indices } = mergeRows(gradient);
  return addToRows(sum.handle, indices, rows);
}
