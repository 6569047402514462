import type { EncodedSplit } from '../data/encoded.ts';
import { countLabels } from '../data/statistics.ts';

/**
 * Weight of each label: rows / (labels * rows of the label), so that all labels weigh the same together, as
 * scikit-learn's compute_class_weight('balanced') has it. A label without rows has the weight 0.
 */
export function balancedWeights(train: EncodedSplit, labels: number): number[] {
  const counts = Array.from(countLabels(train, labels));
  const present = counts.filter((rows) => rows > 0);
  const rows = present.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count === 0 ? 0 : rows / (present.length * count)));
}
