import { TrainerError } from '../failure.ts';
import { purposes, type Random, random, shuffle } from './random.ts';

/**
 * Draws held-out rows from the train file, each label in proportion (as scikit-learn's StratifiedShuffleSplit does:
 * ceil(fraction * rows) rows, largest remainders first). The last row of a label always stays in train, since a label
 * that is never trained cannot be predicted. The order of the file is kept inside each part.
 * @param labels [rows] label ids from 0 to labelCount - 1.
 * @throws TrainerError ConfigError when the fractions leave nothing for training, DataError when a part would be empty.
 */
export function drawSplits(
  labels: Int32Array,
  labelCount: number,
  fractions: { validation?: number | undefined; test?: number | undefined },
  seed: number,
): { train: Int32Array; validation?: Int32Array; test?: Int32Array } {
  if ((fractions.validation ?? 0) + (fractions.test ?? 0) >= 1) {
    throw new TrainerError(
      'ConfigError',
      `dataset.fractions take ${(fractions.validation ?? 0) + (fractions.test ?? 0)} of the train file and leave nothing to train on.`,
      'Make the sum of the fractions less than 1.',
    );
  }
  const source = random(seed, purposes.split);
  const byLabel: number[][] = Array.from({ length: labelCount }, () => []);
  for (const [row, label] of labels.entries()) byLabel[label]?.push(row);
  for (const rows of byLabel) shuffle(rows, source);
  const take = (name: string, fraction: number): Int32Array => {
    const rows = draw(byLabel, Math.ceil(fraction * labels.length), source);
    if (rows.length > 0) return rows;
    throw new TrainerError(
      'DataError',
      `dataset.fractions.${name} of ${fraction} takes no row out of ${labels.length}.`,
      'The last row of each label stays in train: give more rows of each label, or a file for the split.',
    );
  };
  const test = fractions.test === undefined ? undefined : take('test', fractions.test);
  const validation =
    fractions.validation === undefined ? undefined : take('validation', fractions.validation);
  return {
    train: Int32Array.from(byLabel.flat()).sort(),
    ...(validation === undefined ? {} : { validation }),
    ...(test === undefined ? {} : { test }),
  };
}

/** Takes up to `wanted` rows out of the lists, in proportion to their lengths. */
function draw(byLabel: number[][], wanted: number, source: Random): Int32Array {
  const total = byLabel.reduce((sum, rows) => sum + rows.length, 0);
  const order = shuffle([...byLabel.keys()], source);
  const shares = order.map((label) => {
    const rows = byLabel[label] as number[];
    const share = (rows.length * Math.min(wanted, total)) / Math.max(1, total);
    const count = Math.min(Math.floor(share), Math.max(0, rows.length - 1));
    return { rows, count, remainder: share - Math.floor(share) };
  });
  // Array.sort is stable: equal remainders stay in the shuffled order.
  shares.sort((a, b) => b.remainder - a.remainder);
  let left = wanted - shares.reduce((sum, share) => sum + share.count, 0);
  for (let moved = true; left > 0 && moved; ) {
    moved = false;
    for (const share of shares) {
      if (left === 0 || share.count >= share.rows.length - 1) continue;
      share.count += 1;
      left -= 1;
      moved = true;
    }
  }
  return Int32Array.from(shares.flatMap(({ rows, count }) => rows.splice(0, count))).sort();
}
