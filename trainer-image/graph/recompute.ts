/** Gradient checkpointing: memory for time. */
import { gradients } from './gradients.ts';
import { composite, type Tensor } from './graph.ts';
import { identity } from './ops.ts';

/**
 * What `build` gives, with nothing kept for the gradient of what it computes on the way: the gradient builds and
 * computes it again, once the gradient of the result is known. `build` reads every tensor that depends on weights or
 * random numbers through `read`, and must build the same each time.
 */
export function recomputed(build: (read: (x: Tensor) => Tensor) => Tensor): Tensor {
  const inputs = new Set<Tensor>();
  const result = build((x) => {
    inputs.add(x);
    return x;
  });
  const read = [...inputs];
  return composite(read, identity(result), (dResult, needs) => {
    // The control edge holds the second computation back, and makes it another one to the optimiser of graphs, which
    // would otherwise see the same ops on the same tensors and merge them.
    const again = new Map(read.map((x) => [x, identity(x, [dResult.node], 'again')]));
    const result = build((x) => again.get(x) as Tensor);
    const wanted = read.filter((_, index) => needs[index]);
    const found = gradients(
      result,
      wanted.map((x) => again.get(x) as Tensor),
      dResult,
    );
    return read.map((x) => found[wanted.indexOf(x)]);
  });
}
