import type { Tensor } from '../graph/graph.ts';
import type { RandomSource } from '../graph/random.ts';
import { recomputed } from '../graph/recompute.ts';

type Scope = {
  readonly weight: (name: string) => Tensor;
  readonly random?: RandomSource | undefined;
  readonly gradientCheckpointing?: boolean;
};

/**
 * A layer of a model on `x`. With gradient checkpointing only `x` is kept for its gradient: the layer is then computed
 * twice, with the same dropout masks.
 */
export function checkpointed<S extends Scope>(
  x: Tensor,
  scope: S,
  layer: (x: Tensor, scope: S) => Tensor,
): Tensor {
  const { random } = scope;
  if (scope.gradientCheckpointing !== true) return layer(x, scope);
  const firstSite = random?.sites ?? 0;
  let sites = firstSite;
  const result = recomputed((read) => {
    const own = random && { seed: read(random.seed), sites: firstSite };
    const y = layer(read(x), { ...scope, weight: (name) => read(scope.weight(name)), random: own });
    sites = own?.sites ?? firstSite;
    return y;
  });
  if (random !== undefined) random.sites = sites;
  return result;
}
