/** Moving average of the weights (EMA), as torch.optim.swa_utils.AveragedModel keeps it with get_ema_multi_avg_fn. */
import type { Graph, Node, Tensor } from '../graph/graph.ts';
import { identity, mul, placeholder, scalar, single, sub } from '../graph/ops.ts';
import type { Feed } from '../graph/session.ts';
import { assignVariable, readVariable, type Variable, variable } from '../graph/variables.ts';

export type EmaOptions = { readonly decay: number };

export type MovingAverage = {
  /** `<weight>.ema`, one for each weight that is trained; the others are their own average. */
  readonly variables: readonly Variable[];
  readonly decay: number;
  /** float32 scalar: the part of the average that stays in this step. */
  readonly kept: Tensor;
  /** Fetch: the average becomes the weights as they are. */
  readonly started: Tensor;
};

/** Adds a variable beside each weight that follows it, and what sets all of them to the weights. */
export function movingAverage(
  graph: Graph,
  weights: readonly Variable[],
  { decay }: EmaOptions,
): MovingAverage {
  const variables = weights.map(({ name, shape }) => variable(graph, averageName(name), shape));
  const starts = variables.map((average, index) => start(average, weights[index] as Variable));
  return {
    variables,
    decay,
    kept: placeholder(graph, 'ema_kept', 'float32', []),
    started: identity(scalar(graph, 'float32', 1), starts, 'ema_started'),
  };
}

/** A copy: the weight is updated in place, and its average must not share its memory. */
function start(average: Variable, { value, dtype, shape }: Variable): Node {
  const copy = single(value.graph, 'DeepCopy', [value], { dtype, shape }, { T: { type: dtype } });
  return assignVariable(average.handle, copy, []);
}

export function averageName(weight: string): string {
  return `${weight}.ema`;
}

/** Adds the node that moves an average towards its weight, once the weight has been changed by `updates`. */
export function moveAverage(
  average: Variable,
  weight: Variable,
  { kept }: MovingAverage,
  updates: readonly Node[],
): Node {
  const current = readVariable(weight.handle, weight.shape, weight.dtype, updates);
  // With nothing kept this is the weight itself, to the last bit, whatever the average was before.
  return assignVariable(average.handle, sub(current, mul(sub(current, average.value), kept)), []);
}

/** The first update takes the weights as they are; `step` counts the updates before this one. */
export function keptFeed({ decay, kept }: MovingAverage, step: number): Feed {
  return { tensor: kept, data: Float32Array.of(step === 0 ? 0 : decay), shape: [] };
}
