/**
 * Random numbers for everything that is drawn: splits, shuffles, masks. The generator is xoshiro128**
 * (Blackman and Vigna, version 1.1); its state comes from splitmix32 over the seeds. Not for secrets.
 */
export type Random = {
  /** The next 32 random bits. */
  next(): number;
  /** A whole number from 0 to `bound` - 1, every one equally likely; bound from 1 to 2^32. */
  below(bound: number): number;
};

/** 2^32 divided by the golden ratio; splitmix32 needs it, since zero alone would stay zero. */
const golden = 0x9e3779b9;

/** A generator for each list of whole numbers, such as (seed, epoch, purpose): the same list gives the same numbers. */
export function random(...seeds: number[]): Random {
  let mixed = 0;
  for (const seed of seeds) {
    mixed = splitmix32((mixed ^ (seed >>> 0)) + golden);
    mixed = splitmix32((mixed ^ Math.floor(seed / 2 ** 32)) + golden);
  }
  const state: [number, number, number, number] = [0, 0, 0, 0];
  for (let index = 0; index < 4; index++) {
    mixed = (mixed + golden) | 0;
    state[index] = splitmix32(mixed);
  }
  // The all-zero state would give zeros for ever.
  if (state.every((word) => word === 0)) state[0] = 1;
  return fromState(state);
}

/** The bare generator, for the comparison with the published one. */
export function fromState([a, b, c, d]: readonly [number, number, number, number]): Random {
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result >>> 0;
  };
  const below = (bound: number): number => {
    // The part of the range that is no whole multiple of the bound would favour small numbers.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let value = next();
    while (value >= limit) value = next();
    return value % bound;
  };
  return { next, below };
}

/** Fisher-Yates, in place. */
export function shuffle<T extends { [index: number]: unknown; length: number }>(items: T, source: Random): T {
  for (let last = items.length - 1; last > 0; last--) {
    const other = source.below(last + 1);
    const kept = items[last];
    items[last] = items[other];
    items[other] = kept;
  }
  return items;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** The output function of splitmix32: spreads every bit of the input over all of the output. */
function splitmix32(value: number): number {
  let word = value;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return word ^ (word >>> 15);
}

/** What the numbers are for; part of the seeds, so that two uses of one seed do not share their numbers. */
export const purposes = { split: 1, order: 2, mask: 3, evaluationMask: 4 } as const;
