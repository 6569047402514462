/** AdamW with decoupled weight decay and global-norm clipping, as nodes of the training graph. */
import { segmentSum } from '../graph/array-ops.ts';
import { type Gradient, type Graph, isRowGradient, type Node, type Tensor } from '../graph/graph.ts';
import { add, addN, div, l2Loss, minimum, mul, placeholder, scalar, sqrt } from '../graph/ops.ts';
import { assignVariable, readVariable, type Variable } from '../graph/variables.ts';

export type AdamWOptions = {
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Gradients are scaled down to this norm; 0 = never. */
  readonly maxGradNorm: number;
};

export type AdamWParameter = {
  readonly weight: Variable;
  readonly firstMoment: Variable;
  readonly secondMoment: Variable;
  readonly gradient: Gradient;
};

/** Scalars that change from step to step; the caller feeds them. */
export type AdamWRates = {
  readonly stepSize: Tensor;
  readonly epsilon: Tensor;
  readonly decay: Tensor;
};

/** Names of the parameters that get no weight decay (Hugging Face: biases and normalisation layers). */
export function isDecayed(name: string): boolean {
  return !/bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/i.test(name);
}

export function adamWRates(graph: Graph): AdamWRates {
  return {
    stepSize: placeholder(graph, 'adamw/step_size', 'float32', []),
    epsilon: placeholder(graph, 'adamw/epsilon', 'float32', []),
    decay: placeholder(graph, 'adamw/decay', 'float32', []),
  };
}

/**
 * Values of the rates for update number `step` (from 0). TensorFlow's kernel computes
 * w -= size * m / (sqrt(v) + eps); PyTorch's w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps) is the same with
 * size = lr sqrt(1 - b2^t) / (1 - b1^t) and eps sqrt(1 - b2^t).
 */
export function adamWValues(
  options: AdamWOptions,
  step: number,
  learningRate: number,
): { stepSize: number; epsilon: number; decay: number } {
  const correction1 = 1 - options.beta1 ** (step + 1);
  const correction2 = Math.sqrt(1 - options.beta2 ** (step + 1));
  return {
    stepSize: (learningRate * correction2) / correction1,
    epsilon: options.epsilon * correction2,
    decay: 1 - learningRate * options.weightDecay,
  };
}

/**
 * The update of all parameters from gradients of a loss *sum* over `count` examples (float scalar): gradients of the
 * mean are clipped to the global norm as torch.nn.utils.clip_grad_norm_ does, then applied.
 * Returns the norm before clipping and the nodes that do the updates.
 */
export function adamWUpdate(
  parameters: readonly AdamWParameter[],
  rates: AdamWRates,
  options: AdamWOptions,
  count: Tensor,
): { gradientNorm: Tensor; updates: Node[] } {
  const merged = parameters.map(({ gradient }) => mergeRows(gradient));
  const squares = merged.map((gradient) => l2Loss(isRowGradient(gradient) ? gradient.rows : gradient));
  const gradientNorm = div(sqrt(mul(addN(squares), 2)), count);
  const factor =
    options.maxGradNorm === 0
      ? div(1, count)
      : div(minimum(div(options.maxGradNorm, add(gradientNorm, 1e-6)), 1), count);
  const updates = parameters.map((parameter, index) => {
    const gradient = merged[index] as Gradient;
    return applyAdamW(parameter, scaleGradient(gradient, factor), rates, options);
  });
  return { gradientNorm, updates };
}

/** One row for each index that occurs, so that the norm needs no pass over the whole table. */
function mergeRows(gradient: Gradient): Gradient {
  if (!isRowGradient(gradient)) return gradient;
  const { rows, indices, table } = gradient;
  const name = `distinct ${rows.node.name}`;
  const unique = rows.graph.add(
    'Unique',
    [indices],
    [
      { dtype: 'int32', shape: [name] },
      { dtype: 'int32', shape: indices.shape },
    ],
    { T: { type: 'int32' }, out_idx: { type: 'int32' } },
  );
  const [distinct, position] = unique.outputs as readonly [Tensor, Tensor];
  const size = rows.graph.add('Size', [distinct], [{ dtype: 'int32', shape: [] }], {
    T: { type: 'int32' },
    out_type: { type: 'int32' },
  }).outputs[0] as Tensor;
  return { rows: segmentSum(rows, position, name, size), indices: distinct, table };
}

function scaleGradient(gradient: Gradient, factor: Tensor): Tensor {
  if (!isRowGradient(gradient)) return mul(gradient, factor);
  return segmentSum(mul(gradient.rows, factor), gradient.indices, gradient.table[0] ?? 1);
}

function applyAdamW(
  { weight, firstMoment, secondMoment }: AdamWParameter,
  gradient: Tensor,
  rates: AdamWRates,
  options: AdamWOptions,
): Node {
  const { graph } = gradient;
  const before: Node[] = [];
  if (options.weightDecay !== 0 && isDecayed(weight.name)) {
    // Read again after all gradients are known: the decayed value replaces the weight, nothing else may still use it.
    const current = readVariable(weight.handle, weight.shape, weight.dtype, [gradient.node]);
    before.push(assignVariable(weight.handle, mul(current, rates.decay), []));
  }
  const zero = scalar(graph, 'float32', 0);
  return graph.add(
    'ResourceApplyAdam',
    [
      weight.handle,
      firstMoment.handle,
      secondMoment.handle,
      zero, // powers of beta as 0: the bias correction is in the step size
      zero,
      rates.stepSize,
      scalar(graph, 'float32', options.beta1),
      scalar(graph, 'float32', options.beta2),
      rates.epsilon,
      gradient,
    ],
    [],
    { T: { type: 'float32' }, use_locking: { bool: false }, use_nesterov: { bool: false } },
    { name: `adamw/${weight.name}`, controls: before },
  );
}
