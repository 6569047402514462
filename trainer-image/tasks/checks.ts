import type { EncodedSplit } from '../data/encoded.ts';
import { TrainerError } from '../failure.ts';

/** @throws TrainerError DataError when all labels of the train split are the same, or there is none. */
export function refuseOneLabel(train: EncodedSplit, labels: readonly string[]): void {
  const present = new Set<number>();
  for (const label of train.labels) {
    if (label >= 0) present.add(label);
    if (present.size >= 2) return;
  }
  const [only] = present;
  throw new TrainerError(
    'DataError',
    only === undefined
      ? `None of the ${train.rows} rows of ${train.file} has a label.`
      : `All ${train.rows} rows of ${train.file} have the label ${JSON.stringify(labels[only])}.`,
    'A classifier needs at least two different labels. Check dataset.columns.',
  );
}
