/** Stochastic gradient descent with momentum, as torch.optim.SGD computes it (dampening 0, no Nesterov). */
import type { Node, Tensor } from '../graph/graph.ts';
import { add, mul, scalar } from '../graph/ops.ts';
import type { OptimizedParameter, Optimizer } from './optimizer.ts';
import { isDecayed } from './weight-decay.ts';

export type SGDOptions = {
  /** Added to the gradient times the weight: not decoupled. */
  readonly weightDecay: number;
  /** Below 1; with 0 nothing is remembered. */
  readonly momentum: number;
};

export function sgd(options: SGDOptions): Optimizer {
  return {
    state: (shape) => (options.momentum === 0 ? {} : { momentum_buffer: shape }),
    rates: ({ learningRate }) => [learningRate],
    update: (parameter, [learningRate]) => [applySGD(parameter, learningRate as Tensor, options)],
  };
}

/** buffer = momentum * buffer + gradient; w -= lr * buffer. PyTorch's first buffer is the gradient, as from zero. */
function applySGD(
  { weight, state: [buffer], gradient }: OptimizedParameter,
  learningRate: Tensor,
  { weightDecay, momentum }: SGDOptions,
): Node {
  const { graph } = gradient;
  const decayed = weightDecay !== 0 && isDecayed(weight.name);
  const total = decayed ? add(gradient, mul(weight.value, weightDecay)) : gradient;
  const attrs = { T: { type: weight.dtype }, use_locking: { bool: false } };
  const options = { name: `sgd/${weight.name}` };
  if (buffer === undefined) {
    const inputs = [weight.handle, learningRate, total];
    return graph.add('ResourceApplyGradientDescent', inputs, [], attrs, options);
  }
  const inputs = [weight.handle, buffer.handle, learningRate, total, scalar(graph, weight.dtype, momentum)];
  return graph.add('ResourceApplyMomentum', inputs, [], { ...attrs, use_nesterov: { bool: false } }, options);
}
