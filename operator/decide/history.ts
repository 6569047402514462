/** The loss curve that outlives the pod: few points, the telling ones. */
import { type FineTuneJobStatus, maxListBytes } from '../../crds/status.schema.ts';
import { type HistoryPoint, maxHistoryPoints } from '../../crds/trainer-contract.ts';
import { present } from './present.ts';
import { decimal, jsonBytes } from './text.ts';

export type History = NonNullable<FineTuneJobStatus['history']>;
type Point = History[number];

/** The trainer's points as status holds them, in the order of steps. */
export function historyOf(points: readonly HistoryPoint[]): History {
  const history = points.map(([step, trainLoss, evalLoss]) =>
    present({ step, trainLoss: decimal(trainLoss), evalLoss: decimal(evalLoss) }),
  );
  return thinned(history);
}

/** Points of two reports of one run: the later report wins where both know a step. */
export function mergedHistory(earlier: History, later: History): History {
  const steps = new Map<number, Point>();
  for (const point of [...earlier, ...later]) steps.set(point.step, { ...steps.get(point.step), ...point });
  return thinned([...steps.values()]);
}

/** At most 50 points and 2600 bytes: the ends stay, then those with an evaluation, then an even spread. */
function thinned(points: readonly Point[]): History {
  const kept = points.toSorted((a, b) => a.step - b.step);
  while (kept.length > 2 && (kept.length > maxHistoryPoints || jsonBytes(kept) > maxListBytes.history)) {
    kept.splice(leastTelling(kept), 1);
  }
  return kept;
}

/** Index of the inner point whose neighbours are closest; one with an evaluation only if all others are gone. */
function leastTelling(points: readonly Point[]): number {
  let [best, bestCost] = [1, Number.POSITIVE_INFINITY];
  for (let i = 1; i < points.length - 1; i++) {
    const gap = points[i + 1]!.step - points[i - 1]!.step;
    const cost = points[i]!.evalLoss === undefined ? gap : gap + Number.MAX_SAFE_INTEGER;
    if (cost < bestCost) [best, bestCost] = [i, cost];
  }
  return best;
}
