/** Layers that read their weights by name: the vocabulary in which the families are written. */
import { concat, flattenRows, gather, reshape, slice, transpose, unstack } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { type Dropout, dropout, gelu, layerNorm, linear } from '../graph/neural.ts';
import { cast, div, mul, notEqual, relu, sub, sum } from '../graph/ops.ts';
import { lowered } from '../graph/products.ts';
import type { RandomSource } from '../graph/random.ts';
import { recomputed } from '../graph/recompute.ts';
import { checkpointed } from './gradient-checkpointing.ts';
import type { EncoderInputs } from './parameters.ts';

/** Where a model gets its weights and its random numbers from. */
export type Scope = {
  /** The value of a weight by its name. */
  readonly weight: (name: string) => Tensor;
  /** Where dropout masks come from; without it nothing is dropped. */
  readonly random?: RandomSource | undefined;
  /** Layers are computed again for their gradients. */
  readonly gradientCheckpointing?: boolean;
};

export function dense(x: Tensor, name: string, { weight }: Scope): Tensor {
  return linear(x, weight(`${name}.weight`), weight(`${name}.bias`));
}

export function norm(x: Tensor, name: string, epsilon: number, { weight }: Scope): Tensor {
  return layerNorm(x, weight(`${name}.weight`), weight(`${name}.bias`), epsilon);
}

/** The next place in the graph that draws masks; undefined where nothing is dropped. */
export function dropoutOf({ random }: Scope, rate: number): Dropout {
  return random === undefined ? undefined : { source: random, rate };
}

/** Dropout while training, x itself else. */
export function drop(x: Tensor, rate: number, scope: Scope): Tensor {
  return dropout(x, dropoutOf(scope, rate));
}

export const activations = { gelu, relu } as const;
export type Activation = keyof typeof activations;

/**
 * Two dense layers with an activation between them. Of what lies between, which is several times as wide as x, only the
 * sums before the activation are kept; the gradient computes the activation again.
 */
export function feedForward(
  x: Tensor,
  { inner, outer, activation }: { inner: string; outer: string; activation: Activation },
  scope: Scope,
): Tensor {
  const wide = dense(x, inner, scope);
  return recomputed((read) =>
    dense(activations[activation](read(wide)), outer, { weight: (name) => read(scope.weight(name)) }),
  );
}

/**
 * The positions that a head reads, and so all that the last layer computes after its attention: every one, the first of
 * each row, or those of an int32 tensor [positions] with places in the flattened [batch * length].
 */
export type Wanted = 'all' | 'first' | Tensor;

/** x [batch, length, hidden] -> the same, [batch, 1, hidden], or [positions, hidden]. */
export function wantedOf(x: Tensor, wanted: Wanted): Tensor {
  if (wanted === 'all') return x;
  return wanted === 'first' ? firstPosition(x) : gather(flattenRows(x), wanted);
}

/**
 * Layers one after the other, x [batch, length, hidden] -> the same shape, or what is wanted of the last one. A layer
 * reads weights through the scope that it is given.
 */
export function layerStack(
  x: Tensor,
  { count, wanted }: { count: number; wanted: Wanted },
  scope: Scope,
  layer: (x: Tensor, at: { index: number; wanted: Wanted }, scope: Scope) => Tensor,
): Tensor {
  let state = x;
  for (let index = 0; index < count; index++) {
    const at = { index, wanted: index === count - 1 ? wanted : 'all' };
    state = x.graph.scope(`layer${index}`, () =>
      checkpointed(state, scope, (input, inner) => layer(input, at, inner)),
    );
  }
  return state;
}

/** [batch, length, hidden] -> [batch, 1, hidden]. */
export function firstPosition(x: Tensor): Tensor {
  return slice(x, [0, 0, 0], ['batch', 1, x.shape[2] as number]);
}

/** What an attention mask adds to a score so that nothing is left of it: the lowest float32. */
export const lowest = -3.4028234663852886e38;

/**
 * What is added to scores so that a token sees what it may: 0 for tokens and `lowest` for padding, [batch, 1, 1, length];
 * packed, 0 for tokens of the same example, [batch, 1, length, length].
 */
export function sightMask({ attentionMask, packed }: EncoderInputs): Tensor {
  const examples = reshape(cast(attentionMask, 'float32'), ['batch', 1, 1, 'length']);
  if (packed === undefined) return mul(sub(1, examples), lowest);
  const others = notEqual(reshape(examples, ['batch', 1, 'length', 1]), examples);
  return mul(cast(others, 'float32'), lowest);
}

/** Mean over the tokens of each row: [batch, length, hidden] -> [batch, hidden]. */
export function meanOfTokens(states: Tensor, attentionMask: Tensor): Tensor {
  const mask = reshape(cast(attentionMask, 'float32'), ['batch', 'length', 1]);
  return div(sum(mul(states, mask), [1]), sum(mask, [1]));
}

/** Names of the three layers whose products attention compares and mixes. */
export type AttentionNames = { readonly query: string; readonly key: string; readonly value: string };

/**
 * Queries [batch, heads, queries, depth] of `wanted`, keys and values [batch, heads, length, depth] of `x`. All that is
 * computed from the same positions is one matrix product; `scale` goes into the small query weights instead of the
 * scores.
 */
export function attentionHeads(
  x: Tensor,
  wanted: Tensor,
  names: AttentionNames,
  { count, scale, scope: { weight } }: { count: number; scale: number; scope: Scope },
): readonly [Tensor, Tensor, Tensor] {
  const depth = (weight(`${names.query}.weight`).shape[0] as number) / count;
  const scaled = (name: string): number => (name === names.query ? scale : 1);
  // The weights side by side are a copy of them, which is made again rather than kept for the gradient.
  const product = (from: Tensor, layers: readonly string[]): readonly Tensor[] => {
    const input = lowered(from); // this, not the float32 that it may come from, is kept
    const all = recomputed((read) => {
      const joined = (kind: 'weight' | 'bias'): Tensor => {
        const parts = layers.map((name) => {
          const part = read(weight(`${name}.${kind}`));
          return scaled(name) === 1 ? part : mul(part, scaled(name));
        });
        return parts.length === 1 ? (parts[0] as Tensor) : concat(parts, 0);
      };
      return linear(read(input), joined('weight'), joined('bias'));
    });
    return splitHeads(all, layers.length, depth);
  };
  const { query, key, value } = names;
  const heads =
    wanted === x
      ? product(x, [query, key, value])
      : [...product(wanted, [query]), ...product(x, [key, value])];
  return heads as unknown as readonly [Tensor, Tensor, Tensor];
}

/** [batch, length, kinds * heads * depth] -> for each kind [batch, heads, length, depth]. */
export function splitHeads(y: Tensor, kinds: number, depth: number): readonly Tensor[] {
  const heads = (y.shape[2] as number) / kinds / depth;
  const shape = [...y.shape.slice(0, 2), kinds, heads, depth];
  return unstack(transpose(reshape(y, shape), [2, 0, 3, 1, 4]));
}

/** [batch, heads, queries, depth] -> [batch, queries, heads * depth]. */
export function joinHeads(context: Tensor): Tensor {
  const [batch, heads, queries, depth] = context.shape;
  const joined = transpose(context, [0, 2, 1, 3]);
  return reshape(joined, [batch ?? 1, queries ?? 1, (heads as number) * (depth as number)]);
}
