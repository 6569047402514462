/**
 * Random masks from a counter: the same seed, step and place in the graph give the same mask, on every run.
 * One 32-bit random word serves four elements (two where eight bits are too coarse for the rate).
 */
import { reshape, shapeVector } from './array-ops.ts';
import type { Shape, Tensor } from './graph.ts';
import { add, bitcast, cast, constant, greaterEqual, scalar, single } from './ops.ts';
import { productDim } from './shape.ts';

/** Where the masks of one graph come from: `seed` is fed as int32 [seed, step]. */
export type RandomSource = { readonly seed: Tensor; sites: number };

export type KeepMask = {
  /** bool, true where the element stays. */
  readonly keep: Tensor;
  /** 1 / (share that stays), for the share that is really drawn. */
  readonly scale: number;
};

/** How a rate is drawn: an element is dropped if its random number of `bits` bits is below `threshold`. */
export function dropThreshold(rate: number): { bits: 8 | 16; threshold: number } {
  const coarse = Math.round(rate * 256);
  if (coarse < 256 && Math.abs(coarse / 256 - rate) <= 0.02 * rate) return { bits: 8, threshold: coarse };
  return { bits: 16, threshold: Math.min(65_535, Math.max(1, Math.round(rate * 65_536))) };
}

/** A mask of the given shape in which each element is dropped with probability `rate`, 0 < rate < 1. */
export function keepMask(source: RandomSource, shape: Shape, rate: number): KeepMask {
  const { graph } = source.seed;
  const { bits, threshold } = dropThreshold(rate);
  const type = bits === 8 ? 'uint8' : 'uint16';
  const parts = randomParts(source, shape, 32 / bits, type);
  const limit = cast(scalar(graph, 'int32', threshold), type);
  return { keep: greaterEqual(parts, limit), scale: 1 / (1 - threshold / 2 ** bits) };
}

/** Uniform numbers of `shape`, `perWord` of them cut from each random word. Each call draws from its own stream. */
function randomParts(source: RandomSource, shape: Shape, perWord: number, type: 'uint8' | 'uint16'): Tensor {
  const { graph } = source.seed;
  const integer = { T: { type: 'int32' } } as const;
  const count = single(
    graph,
    'Prod',
    [shapeVector(graph, shape), constant(graph, 'int32', [0])],
    { dtype: 'int32', shape: [1] },
    { ...integer, Tidx: { type: 'int32' }, keep_dims: { bool: true } },
  );
  const wordCount = single(
    graph,
    'FloorDiv',
    [add(count, perWord - 1), scalar(graph, 'int32', perWord)],
    { dtype: 'int32', shape: [1] },
    integer,
  );
  // An odd multiplier gives every site its own seed (arithmetic modulo 2^32).
  const site = Math.imul(source.sites++, 0x9e3779b1);
  const words = single(
    graph,
    'StatelessRandomUniformFullInt',
    [wordCount, add(source.seed, constant(graph, 'int32', [site, 0]))],
    { dtype: 'int32', shape: ['words'] },
    { dtype: { type: 'int32' }, ...integer, Tseed: { type: 'int32' } },
  );
  const flat = reshape(bitcast(words, type, ['words', perWord]), [`${perWord}*words`]);
  const used = single(
    graph,
    'Slice',
    [flat, constant(graph, 'int32', [0]), count],
    { dtype: type, shape: [productDim(shape)] },
    { T: { type }, Index: { type: 'int32' } },
  );
  return reshape(used, shape);
}
