import type { Batch } from './data/batch.ts';
import { evaluationBatches } from './data/batches.ts';
import type { EncodedSplit } from './data/encoded.ts';
import { StopRequested } from './run/context.ts';
import { predictedClasses, type Scored, scorePredictions } from './tasks/sequence-classification.ts';

/** The part of a model that evaluation needs. */
export type Predictor = {
  /** Logits [rows * labels] without dropout, the sum of the rows' losses and their number. */
  predict(batch: Batch): { logits: Float32Array; lossSum: number; count: number };
};

export type EvaluationOptions = { classes: number; batchSize: number; stopRequested(): boolean };

export type Evaluated = {
  scores: Scored;
  /** [rows] in the order of the split. */
  predicted: number[];
  /** [rows * classes] in the order of the split. */
  logits: Float32Array;
};

/**
 * Runs a model over every row of a split.
 * @throws StopRequested between two batches when the pod has to stop
 */
export function evaluate(model: Predictor, split: EncodedSplit, options: EvaluationOptions): Evaluated {
  const { classes, batchSize } = options;
  const logits = new Float32Array(split.rows * classes);
  let lossSum = 0;
  let count = 0;
  for (const batch of evaluationBatches(split, batchSize)) {
    if (options.stopRequested()) throw new StopRequested();
    const result = model.predict(batch);
    lossSum += result.lossSum;
    count += result.count;
    for (const [position, row] of batch.indices.entries()) {
      logits.set(result.logits.subarray(position * classes, (position + 1) * classes), row * classes);
    }
  }
  const predicted = predictedClasses(logits, classes);
  const loss = lossSum / count;
  return { scores: scorePredictions(split.labels, { predicted, loss }, classes), predicted, logits };
}
