/** The task SequenceClassification: one label a text. What logits mean and how good they are. */
import { type ClassificationScores, classificationScores } from '../metrics/classification.ts';

/** Class of the largest logit of each row (the first of equal ones) from row-major logits. */
export function predictedClasses(logits: Float32Array, classes: number): number[] {
  return Array.from({ length: logits.length / classes }, (_, row) => {
    const of = logits.subarray(row * classes, (row + 1) * classes);
    return of.indexOf(Math.max(...of));
  });
}

/** Softmax of one row of logits, largest logit first subtracted so that nothing overflows. */
export function probabilities(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const exponentials = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

export type Scored = ClassificationScores & { loss: number };

/** Scores of predictions against the labels of a split. */
export function scorePredictions(
  labels: ArrayLike<number>,
  { predicted, loss }: { predicted: ArrayLike<number>; loss: number },
  classes: number,
): Scored {
  return { ...classificationScores(labels, predicted, classes), loss };
}
