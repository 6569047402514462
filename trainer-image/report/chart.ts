import { niceTicks, tickLabel } from './axis.ts';
import { type Html, html } from './html.ts';

export type Series = {
  name: string;
  /** Class in the style sheet: `train`, `raw`, `eval` and so on. */
  look: string;
  points: readonly (readonly [x: number, y: number])[];
  dots?: boolean;
};

export type Chart = {
  id: string;
  title: string;
  /** What a reader who cannot see the picture should know. */
  description: string;
  xLabel: string;
  series: readonly Series[];
  mark?: { x: number; label: string };
  height?: number;
  yLow?: number;
  yHigh?: number;
};

const width = 880;
const margin = { top: 18, right: 18, bottom: 40, left: 56 };

/** A line chart as inline SVG; colours come from the style sheet, so that it follows light and dark. */
export function lineChart(chart: Chart): Html {
  const height = chart.height ?? 300;
  const all = chart.series.flatMap((series) => series.points);
  if (all.length === 0) return html`<p class="quiet">No points.</p>`;
  const xTicks = niceTicks(0, Math.max(...all.map(([x]) => x)), 8);
  const values = all.map(([, y]) => y);
  const yTicks = niceTicks(chart.yLow ?? Math.min(...values), chart.yHigh ?? Math.max(...values), 5);
  const x = scale(0, Math.max(...all.map(([x]) => x)), margin.left, width - margin.right);
  const y = scale(yTicks[0]!, yTicks.at(-1)!, height - margin.bottom, margin.top);
  const visible = xTicks.filter((tick) => x(tick) <= width - margin.right + 1);
  return html`<figure>
<figcaption>${chart.title}<span class="legend">${legend(chart.series)}</span></figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${chart.id}-t ${chart.id}-d">
<title id="${chart.id}-t">${chart.title}</title><desc id="${chart.id}-d">${chart.description}</desc>
<g class="grid">${yTicks.map((tick) => html`<line x1="${margin.left}" x2="${width - margin.right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`)}</g>
<g class="tick">${yTicks.map((tick) => html`<text x="${margin.left - 10}" y="${px(y(tick) + 4)}" text-anchor="end">${tickLabel(tick)}</text>`)}
${visible.map((tick) => html`<text x="${px(x(tick))}" y="${height - margin.bottom + 20}" text-anchor="middle">${tickLabel(tick)}</text>`)}
<text x="${width - margin.right}" y="${height - 4}" text-anchor="end">${chart.xLabel}</text></g>
${chart.mark && markLine(x(chart.mark.x), height, chart.mark.label)}
${chart.series.map((series) => line(series, x, y))}
</svg></figure>`;
}

function legend(series: readonly Series[]): Html[] {
  return series
    .filter(({ name }) => name !== '')
    .map(({ name, look }) => html`<span class="key ${look}">${name}</span>`);
}

function markLine(at: number, height: number, label: string): Html {
  const [anchor, shift] = at > width * 0.7 ? ['end', -6] : ['start', 6];
  return html`<g class="mark"><line x1="${px(at)}" x2="${px(at)}" y1="${margin.top}" y2="${height - margin.bottom}"/>
<text x="${px(at + shift)}" y="${margin.top + 10}" text-anchor="${anchor}">${label}</text></g>`;
}

type Scale = (value: number) => number;

function line({ points, look, dots }: Series, x: Scale, y: Scale): Html {
  const path = points.map(([px_, py], i) => `${i === 0 ? 'M' : 'L'}${px(x(px_))} ${px(y(py))}`).join('');
  const circles = points.map(([cx, cy]) => html`<circle cx="${px(x(cx))}" cy="${px(y(cy))}" r="3.2"/>`);
  return html`<g class="line ${look}"><path d="${path}"/>${dots === true && circles}</g>`;
}

function scale(fromLow: number, fromHigh: number, toLow: number, toHigh: number): Scale {
  const span = fromHigh - fromLow || 1;
  return (value) => toLow + ((value - fromLow) / span) * (toHigh - toLow);
}

const px = (value: number) => value.toFixed(1);
