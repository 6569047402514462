import type { Optimizer } from './optimizer.ts';

type Weight = { readonly name: string; readonly shape: readonly number[] };

/** Numbers that training keeps besides activations: weights; of those not frozen gradient, optimiser state and average. */
export function trainedNumbers(
  weights: readonly Weight[],
  optimizer: Optimizer,
  { frozen, ema }: { frozen: ReadonlySet<string>; ema: boolean },
): number {
  return weights.reduce((sum, { name, shape }) => {
    if (frozen.has(name)) return sum + sizeOf(shape);
    const state = Object.values(optimizer.state(shape)).reduce((total, its) => total + sizeOf(its), 0);
    return sum + (ema ? 3 : 2) * sizeOf(shape) + state;
  }, 0);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
