/**
 * Near duplicates: rows that are the same but for a few words, as far as the model sees them (after truncation). Two
 * rows are near when at least `nearSimilarity` of their runs of three tokens are common to both (Jaccard index), as
 * MinHash estimates it: one permutation hashing with densification (Shrivastava and Li, 2014), 8 bits a bin (Li and
 * König, 2010), and banding to find candidates.
 *
 * Cost of a row: one hash for each token, 16 look-ups, and at most 256 comparisons of 64 bytes, however many rows there
 * are; 80 bytes of memory. Both grow linearly with the rows. Banding finds a pair at the threshold with 99.98 %
 * (1 - (1 - 0.8^4)^16); whether it is near is then decided by an estimate with a standard deviation of 0.05.
 */
import { TextIndex, type TextKeys } from './text-keys.ts';

/** Part of the runs of tokens that near rows have in common. Below 0.8 rows made from one template count as near. */
export const nearSimilarity = 0.8;

/** Bins of a signature, one byte each: sqrt(0.8 * 0.2 / 64) = 0.05. */
const bins = 64;
/** Four bins are a band: rows of which one band is equal are compared. */
const bands = bins / 4;
const equalBins = Math.ceil(nearSimilarity * bins);
/** Rows with an equal band that a row is compared with, and rows passed over to find them, the latest first. */
const maxCompared = 16;
const maxPassed = 64;

/** Tokens of the rows, as a split holds them. */
type Tokens = {
  rows: number;
  ids: { slice(start?: number, end?: number): Int32Array };
  offsets: Float64Array;
};

/** Rows that nearly repeat an earlier one; rows whose whole text was seen before are not counted among them. */
export function countNearDuplicates(split: Tokens & TextKeys): number {
  const { firstRows } = new TextIndex(split);
  return countNear(signaturesOf(split), undefined, (row) => firstRows[row] !== row);
}

/** Rows of `split` that are nearly in `train`; rows whose whole text is there are not counted among them. */
export function countNearLeaked(split: Tokens & TextKeys, train: Tokens & TextKeys): number {
  const seen = new TextIndex(train).holds(split);
  return countNear(signaturesOf(split), signaturesOf(train), (row) => seen[row] === 1);
}

/** Estimated Jaccard index of the runs of three tokens of two rows. */
export function similarity(a: Uint8Array, b: Uint8Array): number {
  return equalBytes(a, 0, b, 0) / bins;
}

/** [rows * 64] the signature of each row. */
export function signaturesOf({ rows, ids, offsets }: Tokens): Uint8Array {
  const signatures = new Uint8Array(rows * bins);
  const minima = new Uint32Array(bins);
  for (let row = 0; row < rows; row++) {
    const own = ids.slice(offsets[row], offsets[row + 1]);
    minima.fill(empty);
    for (let at = 0; at < Math.max(1, own.length - 2); at++) {
      const hash = mix(mix(mix(tokenAt(at)) + tokenAt(at + 1)) + tokenAt(at + 2));
      const bin = hash >>> 26;
      const value = hash & 0x3ffffff;
      if (value < (minima[bin] as number)) minima[bin] = value;
    }
    fill(signatures.subarray(row * bins, (row + 1) * bins), minima);

    function tokenAt(place: number): number {
      return place < own.length ? (own[place] as number) : -1;
    }
  }
  return signatures;
}

const empty = 0xffffffff;

/** A bin that no run fell into borrows from the next one that has a value; the distance picks other bits of it. */
function fill(signature: Uint8Array, minima: Uint32Array): void {
  let distance = 0;
  let value = 0;
  // Twice around: the last bins may have to borrow from the first.
  for (let step = 2 * bins - 1; step >= 0; step--) {
    const bin = step % bins;
    if (minima[bin] === empty) distance += 1;
    else {
      distance = 0;
      value = minima[bin] as number;
    }
    signature[bin] = mix(value + distance * 0x9e3779b1);
  }
}

/** The finaliser of MurmurHash3: every bit of the input changes half of the bits of the result. */
function mix(value: number): number {
  let word = value ^ (value >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

/**
 * Rows near to a row of `base`, or to an earlier row where there is no base.
 * @param exact rows that are known by their text and passed over.
 */
function countNear(
  signatures: Uint8Array,
  base: Uint8Array | undefined,
  exact: (row: number) => boolean,
): number {
  const rows = signatures.length / bins;
  const others = base ?? signatures;
  const keys = bandsOf(signatures);
  const near = new Uint8Array(rows);
  for (let band = 0; band < bands; band++) {
    const table = new BandTable(bandsOf(others), band);
    if (base !== undefined) for (let row = 0; row < base.length / bins; row++) table.add(row);
    for (let row = 0; row < rows; row++) {
      if (exact(row)) continue;
      const isNear = (other: number) => equalBytes(signatures, row * bins, others, other * bins) >= equalBins;
      if (near[row] === 0 && table.some(keys[row * bands + band] as number, isNear)) near[row] = 1;
      if (base === undefined) table.add(row);
    }
  }
  return near.reduce((sum, one) => sum + one, 0);
}

/** Four bytes of a signature as one number. */
function bandsOf(signatures: Uint8Array): Uint32Array {
  return new Uint32Array(signatures.buffer, signatures.byteOffset, signatures.length / 4);
}

/** Rows by one of their bands: chains in two arrays, the latest row first. */
class BandTable {
  readonly #keys: Uint32Array;
  readonly #band: number;
  readonly #shift: number;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;

  constructor(keys: Uint32Array, band: number) {
    const rows = keys.length / bands;
    const bits = Math.max(1, Math.ceil(Math.log2(rows + 1)));
    this.#keys = keys;
    this.#band = band;
    this.#shift = 32 - bits;
    this.#heads = new Int32Array(2 ** bits).fill(-1);
    this.#next = new Int32Array(rows);
  }

  add(row: number): void {
    const slot = this.#slot(this.#keyOf(row));
    this.#next[row] = this.#heads[slot] as number;
    this.#heads[slot] = row;
  }

  /** Whether one of the rows with this key passes the test; the first few are tried. */
  some(key: number, test: (row: number) => boolean): boolean {
    let compared = 0;
    let passed = 0;
    let row = this.#heads[this.#slot(key)] as number;
    for (; row !== -1 && compared < maxCompared && passed < maxPassed; row = this.#next[row] as number) {
      passed += 1;
      if (this.#keyOf(row) !== key) continue;
      compared += 1;
      if (test(row)) return true;
    }
    return false;
  }

  #keyOf(row: number): number {
    return this.#keys[row * bands + this.#band] as number;
  }

  #slot(key: number): number {
    return mix(key) >>> this.#shift;
  }
}

function equalBytes(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number): number {
  let equal = 0;
  for (let index = 0; index < bins; index++) if (a[aStart + index] === b[bStart + index]) equal += 1;
  return equal;
}
