/** AdamW with decoupled weight decay, as torch.optim.AdamW computes it. */
import type { Node, Tensor } from '../graph/graph.ts';
import { mul, scalar } from '../graph/ops.ts';
import { assignVariable, readVariable, type Variable } from '../graph/variables.ts';
import type { OptimizedParameter, Optimizer } from './optimizer.ts';
import { isDecayed } from './weight-decay.ts';

export type AdamWOptions = {
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
};

/**
 * TensorFlow's kernel computes w -= size * m / (sqrt(v) + eps); PyTorch's
 * w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps) is the same with size = lr sqrt(1 - b2^t) / (1 - b1^t) and
 * eps sqrt(1 - b2^t).
 */
export function adamW(options: AdamWOptions): Optimizer {
  return {
    state: (shape) => ({ exp_avg: shape, exp_avg_sq: shape }),
    rates({ step, learningRate }) {
      const correction1 = 1 - options.beta1 ** (step + 1);
      const correction2 = Math.sqrt(1 - options.beta2 ** (step + 1));
      const stepSize = (learningRate * correction2) / correction1;
      const decay = 1 - learningRate * options.weightDecay;
      return [stepSize, options.epsilon * correction2, decay];
    },
    update: (parameter, rates) => [applyAdamW(parameter, rates, options)],
  };
}

function applyAdamW(
  { weight, state, gradient }: OptimizedParameter,
  rates: readonly Tensor[],
  options: AdamWOptions,
): Node {
  const { graph } = gradient;
  const [firstMoment, secondMoment] = state as readonly [Variable, Variable];
  const [stepSize, epsilon, decay] = rates as readonly [Tensor, Tensor, Tensor];
  const before: Node[] = [];
  if (options.weightDecay !== 0 && isDecayed(weight.name)) {
    // Read again after all gradients are known: the decayed value replaces the weight, nothing else may still use it.
    const current = readVariable(weight.handle, weight.shape, weight.dtype, [gradient.node]);
    before.push(assignVariable(weight.handle, mul(current, decay), []));
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
      stepSize,
      scalar(graph, 'float32', options.beta1),
      scalar(graph, 'float32', options.beta2),
      epsilon,
      gradient,
    ],
    [],
    { T: { type: 'float32' }, use_locking: { bool: false }, use_nesterov: { bool: false } },
    { name: `adamw/${weight.name}`, controls: before },
  );
}
