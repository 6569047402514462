/**
 * A metric by groups of rows, for the base and the tuned model: the worst group and the distance from the best one, as
 * Fairlearn's MetricFrame has them (group_min, difference between groups). test/golden/metrics.py makes the reference.
 */
import { improvement, type MetricName } from '../../crds/tasks.ts';
import type { SliceSummary } from '../../crds/trainer-contract.ts';
import { isSmall, type SlicedColumn, slicesOf } from '../data/slices.ts';
import { bootstrap, type Estimate, type Scorer } from './bootstrap.ts';

/** One group of rows. `final` has its own 95 % interval; a small group has too few rows to be compared with others. */
export type Slice = { slice: string; rows: number; small: boolean; baseline?: number; final: Estimate };

/** The groups of a column; worst and gap are among those that are not small. */
export type SliceScores = SliceSummary & { metric: MetricName; slices: Slice[] };

export type SliceOptions = { metric: MetricName; base?: Scorer | undefined; tuned: Scorer; seed: number };

/** Scores both models on each slice of a column. */
export function sliceScores(sliced: SlicedColumn, { metric, base, tuned, seed }: SliceOptions): SliceScores {
  const rows = slicesOf(sliced);
  const slices = sliced.values.map((slice, place): Slice => {
    const own = rows[place] as Int32Array;
    return {
      slice,
      rows: own.length,
      small: isSmall(own),
      ...(base && { baseline: base(own) }),
      final: bootstrap(own, seed, tuned),
    };
  });
  const large = rows.map((own, place) => ({ own, place })).filter(({ own }) => !isSmall(own));
  const worst = worstOf(metric, slices);
  const scores = { column: sliced.column, metric, slices, ...(worst && { worst }) };
  if (large.length < 2) return scores;
  const gapOf = (model: Scorer, groups: readonly ArrayLike<number>[]) =>
    gap(groups.map((rows) => model(rows)));
  const groups = large.map(({ own }) => own);
  if (base === undefined) return { ...scores, gap: { final: gapOf(tuned, groups) } };
  const places = new Map(large.map(({ place }, group) => [place, group]));
  const growth = bootstrap(Uint32Array.from(groups.flatMap((own) => [...own])), seed, (drawn) => {
    const split = grouped(drawn, (row) => places.get(sliced.of[row] as number) as number, groups.length);
    return gapOf(tuned, split) - gapOf(base, split);
  });
  return { ...scores, gap: { baseline: gapOf(base, groups), final: gapOf(tuned, groups) }, growth };
}

/** What the termination message and status can hold. */
export function summaryOf({ slices: _, metric: __, ...summary }: SliceScores): SliceSummary {
  return summary;
}

function worstOf(metric: MetricName, slices: readonly Slice[]): SliceSummary['worst'] {
  const [first, ...others] = slices.filter(({ small }) => !small);
  if (first === undefined) return undefined;
  const worst = others.reduce(
    (a, b) => (improvement(metric, b.final.value, a.final.value) < 0 ? b : a),
    first,
  );
  const { slice, rows, baseline, final } = worst;
  return { slice, rows, ...(baseline !== undefined && { baseline }), final: final.value };
}

const gap = (values: readonly number[]) => Math.max(...values) - Math.min(...values);

/** The drawn rows by their group; one of which no row was drawn is left out. */
function grouped(drawn: ArrayLike<number>, groupOf: (row: number) => number, groups: number): number[][] {
  const split = Array.from({ length: groups }, (): number[] => []);
  for (let i = 0; i < drawn.length; i++) split[groupOf(drawn[i] as number)]?.push(drawn[i] as number);
  return split.filter((rows) => rows.length > 0);
}
