/**
 * Disentangled attention (He et al. 2021): the score of a query and a key also compares each of the two with a learnt
 * vector of their distance, as DisentangledSelfAttention of Hugging Face Transformers does.
 */
import { byPlace, dimension, gather, reshape, transpose } from '../graph/array-ops.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { attention, linear } from '../graph/neural.ts';
import { add, constant, mul, sub } from '../graph/ops.ts';
import { range } from '../graph/positions.ts';
import { batchMatmul } from '../graph/products.ts';
import { type AttentionNames, drop, dropoutOf, type Scope } from './layers.ts';

/** How distances share the rows of the table of vectors. */
export type DistanceBuckets = {
  /** Number of buckets for each sign, 0 or less if each distance has its own row. */
  readonly buckets: number;
  /** Farther distances count as this one. */
  readonly limit: number;
  /** The longest row of tokens. */
  readonly longest: number;
};

/** Half of the rows of the table. */
export function spanOf({ buckets, limit }: DistanceBuckets): number {
  return buckets > 0 ? buckets : limit;
}

/** Rows of the table, int32 [2 * length], for the distances length, length - 1, ..., 1 - length, and for -length, ... */
export type DistanceRows = { readonly falling: Tensor; readonly rising: Tensor };

export function distanceRows(graph: Graph, buckets: DistanceBuckets): DistanceRows {
  const { longest } = buckets;
  const table = Array.from({ length: 2 * longest + 1 }, (_, i) => tableRow(longest - i, buckets));
  const rows = constant(graph, 'int32', table);
  const length = dimension(graph, 'length');
  const places = range(graph, '2*length');
  return {
    falling: gather(rows, add(places, sub(longest, length))),
    rising: gather(rows, sub(add(length, longest), places)),
  };
}

function tableRow(distance: number, config: DistanceBuckets): number {
  const span = spanOf(config);
  const bucket = config.buckets > 0 ? logBucket(distance, config.buckets, config.limit) : distance;
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

/**
 * Distances up to half of the buckets have one each; farther ones share the rest, on a logarithmic scale up to `limit`.
 * Rounded to float32 where PyTorch rounds, because the result is a whole number.
 */
export function logBucket(distance: number, buckets: number, limit: number): number {
  const middle = Math.floor(buckets / 2);
  const far = Math.abs(distance);
  if (far <= middle) return distance;
  const log = (value: number): number => Math.fround(Math.log(Math.fround(value / middle)));
  const share = Math.fround(Math.fround(log(far) / log(limit - 1)) * (middle - 1));
  return Math.sign(distance) * (Math.ceil(share) + middle);
}

export type Disentangled = {
  /** The layers that project the content, and those that project the vectors of the distances. */
  readonly names: AttentionNames;
  readonly distanceNames: Omit<AttentionNames, 'value'>;
  /** [2 * span, hidden]. */
  readonly vectors: Tensor;
  readonly rows: DistanceRows;
  /** Additive, [1, batch, 1 or length, length]. */
  readonly mask: Tensor;
  readonly heads: number;
  readonly vectorDropout: number;
  readonly attentionDropout: number;
};

/** x [batch, length, hidden] -> context of the same shape. Heads come before the batch, which shares the distances. */
export function disentangledAttention(x: Tensor, given: Disentangled, scope: Scope): Tensor {
  const { names, distanceNames, rows, heads } = given;
  const hidden = x.shape[2] as number;
  const depth = hidden / heads;
  const scale = 1 / Math.sqrt(3 * depth); // the scores are sums of three products
  const project = (from: Tensor, name: string): Tensor =>
    linear(from, scope.weight(`${name}.weight`), scope.weight(`${name}.bias`));
  const scaled = (from: Tensor, name: string): Tensor =>
    linear(from, mul(scope.weight(`${name}.weight`), scale), mul(scope.weight(`${name}.bias`), scale));

  const split = (y: Tensor): Tensor => transpose(reshape(y, ['batch', 'length', heads, depth]), [2, 0, 1, 3]); // [heads, batch, length, depth]
  const q = split(scaled(x, names.query));
  const k = split(project(x, names.key));
  const v = split(project(x, names.value));

  const vectors = drop(given.vectors, given.vectorDropout, scope);
  const spread = (y: Tensor, which: Tensor): Tensor =>
    transpose(gather(reshape(y, [y.shape[0] ?? 1, heads, depth]), which), [1, 0, 2]); // [heads, 2 * length, depth]
  const keys = spread(project(vectors, distanceNames.key), rows.falling);
  const queries = spread(scaled(vectors, distanceNames.query), rows.rising);
  const compare = (content: Tensor, distances: Tensor): Tensor => {
    const all = reshape(content, [heads, 'batch*length', depth]);
    const products = batchMatmul(all, distances, { transposeB: true });
    return byPlace(reshape(products, [heads, 'batch', 'length', '2*length'])); // [heads, batch, length, length]
  };
  const contentToPosition = compare(q, keys);
  const positionToContent = transpose(compare(k, queries), [0, 1, 3, 2]);
  const bias = add(contentToPosition, positionToContent);

  const context = attention(q, k, v, given.mask, dropoutOf(scope, given.attentionDropout), bias);
  return reshape(transpose(context, [1, 2, 0, 3]), ['batch', 'length', hidden]);
}
