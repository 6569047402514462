import { dataChecks, resultChecks } from '../../crds/data-checks.ts';
import { improvement, kindOf, metrics, metricTitle } from '../../crds/tasks.ts';
import type { Slice, SliceScores } from '../metrics/slices.ts';
import { type Html, html } from './html.ts';
import { type Report, score } from './report.ts';

/** Both models by slice, the worst first: a table with bars for each column of dataset.slices. */
export function sliceTables({ config, slices }: Report): Html[] {
  return slices.map((scores) => {
    const title = metricTitle(kindOf(config), scores.metric);
    const baseline = scores.slices.some((slice) => slice.baseline !== undefined);
    return html`<div class="wide"><table class="slices"><caption>${title} by ${scores.column}</caption>
<thead><tr><th scope="col">${scores.column}</th><th scope="col" class="n">rows</th>${baseline && html`<th scope="col" class="n">base model</th>`}<th scope="col" class="n">tuned model</th><th scope="col" class="n">95 % interval</th><th scope="col" class="bars"></th></tr></thead>
<tbody>${worstFirst(scores).map((slice) => sliceRow(slice, scores, baseline))}</tbody></table></div>
<p class="note${isWidened(scores) && ' warn'}">${sliceNote(scores)}</p>`;
  });
}

/** Worst slice, gap, and whether the gap grew, in a sentence or two. */
export function sliceNote({ metric, worst, gap, growth, slices }: SliceScores): string {
  const small = slices.filter((slice) => slice.small).length;
  const left = `${small} ${small === 1 ? 'slice has' : 'slices have'} fewer than ${dataChecks.smallSlices.threshold} rows and ${small === 1 ? 'is' : 'are'} not compared.`;
  const aside = small === 0 ? '' : ` ${left}`;
  if (worst === undefined || gap === undefined) return `There are too few slices to compare.${aside}`;
  const base = gap.baseline === undefined ? '' : `, that of the base model ${score(gap.baseline)}`;
  const where = `The worst slice is ${worst.slice} with ${metric} ${score(worst.final)}; the gap to the best one is ${score(gap.final)}${base}.`;
  if (growth === undefined) return `${where}${aside}`;
  const change = isWidened({ growth })
    ? `The gap grew by ${score(growth.value)} [${score(growth.low)}, ${score(growth.high)}]: fine-tuning helped some slices more than others. More training rows of ${worst.slice} may help.`
    : `It did not grow by more than chance explains (${score(growth.value)} [${score(growth.low)}, ${score(growth.high)}]).`;
  return `${where} ${change}${aside}`;
}

function isWidened({ growth }: Pick<SliceScores, 'growth'>): boolean {
  return growth !== undefined && growth.low > resultChecks.sliceGapGrowth.threshold;
}

/** Those that are compared before those that are too small. */
function worstFirst({ slices, metric }: SliceScores): Slice[] {
  const order = (a: Slice, b: Slice) => improvement(metric, a.final.value, b.final.value);
  return slices.toSorted((a, b) => Number(a.small) - Number(b.small) || order(a, b));
}

function sliceRow(
  { slice, rows, small, baseline, final }: Slice,
  scores: SliceScores,
  withBase: boolean,
): Html {
  const bar = (look: string, value: number | undefined) =>
    value !== undefined && html`<i class="${look}" style="--share:${shareOf(value, scores)}%"></i>`;
  return html`<tr${small && html` class="quiet"`}><th scope="row">${slice}${small && ' (few rows)'}</th><td class="n">${rows}</td>${withBase && html`<td class="n">${score(baseline)}</td>`}<td class="n strong">${score(final.value)}</td><td class="n quiet">${score(final.low)} to ${score(final.high)}</td><td class="bars">${bar('base', baseline)}${bar('tuned', final.value)}</td></tr>`;
}

/** Length of a bar in percent: of 1 where more is better, else of the largest value in the table. */
function shareOf(value: number, { metric, slices }: SliceScores): number {
  const values = slices.flatMap(({ baseline = 0, final }) => [baseline, final.value]);
  const full = metrics[metric].better === 'more' ? 1 : Math.max(...values);
  return full === 0 ? 0 : Math.round(100 * Math.min(1, Math.max(0, value / full)));
}
