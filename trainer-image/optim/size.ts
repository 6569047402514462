import type { Optimizer } from './optimizer.ts';

type Weight = { readonly name: string; readonly shape: readonly number[] };

/** Numbers that training keeps besides activations: weights, and for each its gradient and what the optimiser remembers. */
export function trainedNumbers(weights: readonly Weight[], optimizer: Optimizer): number {
  return weights.reduce((sum, { shape }) => {
    const state = Object.values(optimizer.state(shape)).reduce((total, its) => total + sizeOf(its), 0);
    return sum + 2 * sizeOf(shape) + state;
  }, 0);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
