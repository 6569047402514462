import type { Batch } from './data/batch.ts';
import { evaluationBatches } from './data/batches.ts';
import type { EncodedSplit } from './data/encoded.ts';
import type { HostArray } from './graph/dtype.ts';
import { StopRequested } from './run/context.ts';
import type { Evaluated, Task } from './tasks/task.ts';

/** The part of a model that evaluation needs. */
export type Predictor = {
  /** The outputs of the task without dropout, the sum of the losses and the number of labels. */
  predict(batch: Batch): { outputs: readonly HostArray[]; lossSum: number; count: number };
};

export type EvaluationOptions = {
  task: Task;
  labels: readonly string[];
  batchSize: number;
  maxLength: number;
  stopRequested(): boolean;
};

/**
 * Runs a model over every row of a split.
 * @throws StopRequested between two batches when the pod has to stop
 */
export function evaluate(model: Predictor, split: EncodedSplit, options: EvaluationOptions): Evaluated {
  const { task, labels } = options;
  const recorder = task.recorder(split, labels);
  let lossSum = 0;
  let count = 0;
  for (const batch of evaluationBatches(split, options, task.collate)) {
    if (options.stopRequested()) throw new StopRequested();
    const result = model.predict(batch);
    lossSum += result.lossSum;
    count += result.count;
    recorder.add(batch, result.outputs);
  }
  return { loss: lossSum / Math.max(1, count), figures: recorder.figures };
}
