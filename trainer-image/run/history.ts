import { type HistoryPoint, maxHistoryPoints } from '../../crds/trainer-contract.ts';

/** The numbers of one optimiser step. */
export type StepRecord = {
  loss: number;
  learningRate: number;
  gradientNorm: number;
  tokens: number;
  /** Unix time in milliseconds. */
  time: number;
};

export type LossRecords = {
  /** The loss of step i + 1 is at index i. */
  steps: readonly { loss: number }[];
  /** In the order of steps. */
  evaluations: readonly { step: number; loss: number }[];
};

/**
 * Loss over the run in at most `limit` points. Steps are put into equal buckets, each with the mean of its training
 * losses at its last step; evaluations keep their own step, evenly thinned (first and last stay) beyond half the limit.
 */
export function thinHistory(records: LossRecords, limit: number = maxHistoryPoints): HistoryPoint[] {
  const evaluations = evenly(records.evaluations, Math.max(1, Math.floor(limit / 2)));
  const buckets = Math.min(records.steps.length, limit - evaluations.length);
  const points = new Map<number, HistoryPoint>();
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor((bucket * records.steps.length) / buckets);
    const to = Math.floor(((bucket + 1) * records.steps.length) / buckets);
    points.set(to, [to, compact(meanLoss(records.steps.slice(from, to))), null]);
  }
  for (const { step, loss } of evaluations) {
    points.set(step, [step, points.get(step)?.[1] ?? null, compact(loss)]);
  }
  return [...points.values()].sort((a, b) => a[0] - b[0]);
}

/** Mean loss of some steps; NaN without any. */
export function meanLoss(steps: readonly { loss: number }[]): number {
  return steps.reduce((sum, step) => sum + step.loss, 0) / steps.length;
}

/** `count` elements at even distance, the first and the last among them. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  if (count <= 1) return items.slice(-1);
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]!);
}

/** Five significant digits: the history travels in a message of 4 KB. */
const compact = (value: number) => Number(value.toPrecision(5));
