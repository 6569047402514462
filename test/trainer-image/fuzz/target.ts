/** What can be fuzzed, and how one case after the other is tried. */
import { crc32 } from 'node:zlib';
import { type Random, random } from '../../../trainer-image/data/random.ts';

/** Input that somebody else wrote, and what must hold whatever is in it. */
export type Target = {
  readonly name: string;
  /**
   * Reads one random input; the same numbers give the same input.
   * @returns whether it was refused as it should be. Throws for whatever must not happen.
   */
  attempt(source: Random): boolean | Promise<boolean>;
  /** The least and the most of all cases that may be refused: where it is nearly all or none, little was tried. */
  readonly refusedShare: readonly [least: number, most: number];
};

/** What one case did. `error` is what must not happen. */
export type Attempt = { refused: boolean; error?: unknown };

/** One case, whose input follows from seed, target and index alone. */
export async function attempt(target: Target, seed: number, index: number): Promise<Attempt> {
  try {
    return { refused: await target.attempt(random(seed, crc32(target.name), index)) };
  } catch (error) {
    return { refused: false, error };
  }
}

/** What is wrong with the number of refused cases, or undefined. */
export function unlikelyShare({ refusedShare }: Target, refused: number, cases: number): string | undefined {
  const [least, most] = refusedShare;
  const share = refused / cases;
  if (share >= least && share <= most) return undefined;
  return `${refused} of ${cases} cases are refused, which is not between ${least} and ${most} of them`;
}
