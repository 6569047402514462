import { kindOf, type MetricName, metricsOf, metricTitle } from '../../crds/tasks.ts';
import { taskOf } from '../tasks/tasks.ts';
import { type Html, html } from './html.ts';
import { type EvaluatedModel, type Report, score } from './report.ts';

/** Beyond this a matrix is unreadable, and the largest confusions are listed instead. */
const maxMatrixClasses = 16;
const maxConfusions = 20;

/** Actual classes down, predicted classes across; the shade is the share of the row. Nothing without a matrix. */
export function confusionTable(
  name: string,
  labels: readonly string[],
  { confusion }: EvaluatedModel,
): Html | undefined {
  if (confusion === undefined) return undefined;
  if (labels.length > maxMatrixClasses) return largestConfusions(name, labels, confusion);
  return html`<div class="wide"><table class="matrix"><caption>${name}</caption>
<thead><tr><th scope="col">actual ↓ predicted →</th>${labels.map((label) => html`<th scope="col">${label}</th>`)}</tr></thead>
<tbody>${confusion.map((row, actual) => matrixRow(labels[actual]!, row, actual))}</tbody></table></div>`;
}

function matrixRow(label: string, row: readonly number[], actual: number): Html {
  const total = row.reduce((sum, rows) => sum + rows, 0);
  const cell = (rows: number, predicted: number) => {
    const share = total === 0 ? 0 : Math.round((rows / total) * 100);
    const look = predicted === actual ? 'right' : 'wrong';
    return html`<td class="${look}" style="--share:${share}%">${rows}</td>`;
  };
  return html`<tr><th scope="row">${label}</th>${row.map(cell)}</tr>`;
}

function largestConfusions(name: string, labels: readonly string[], confusion: number[][]): Html {
  const pairs = confusion
    .flatMap((row, actual) => row.map((rows, predicted) => ({ rows, actual, predicted })))
    .filter(({ rows, actual, predicted }) => rows > 0 && actual !== predicted)
    .sort((a, b) => b.rows - a.rows)
    .slice(0, maxConfusions);
  return html`<div class="wide"><table><caption>${name}: most frequent confusions</caption>
<thead><tr><th scope="col">actual</th><th scope="col">predicted</th><th scope="col" class="n">rows</th></tr></thead>
<tbody>${pairs.map((pair) => html`<tr><td>${labels[pair.actual]}</td><td>${labels[pair.predicted]}</td><td class="n">${pair.rows}</td></tr>`)}</tbody></table></div>`;
}

/** Base and tuned model side by side. */
export function comparisonTable({ config, baseline, final, gain }: Report): Html {
  const cells = (key: MetricName) =>
    baseline === undefined
      ? html`<td class="n strong">${score(final[key])}</td>`
      : html`<td class="n">${score(baseline[key])}</td><td class="n strong">${score(final[key])}</td><td class="n">${signed((final[key] ?? 0) - (baseline[key] ?? 0))}</td><td class="n quiet">${gain?.metric === key && `${score(gain.low)} to ${score(gain.high)}`}</td>`;
  return html`<div class="wide"><table><caption>On ${final.rows} held-out rows of the test split</caption>
<thead><tr><th scope="col"></th>${baseline && html`<th scope="col" class="n">base model</th>`}<th scope="col" class="n">tuned model</th>${baseline && html`<th scope="col" class="n">change</th><th scope="col" class="n">95 % interval of the gain</th>`}</tr></thead>
<tbody>${metricsOf(kindOf(config)).map((key) => html`<tr><th scope="row">${metricTitle(kindOf(config), key)}</th>${cells(key)}</tr>`)}</tbody></table></div>`;
}

export function classTable({ final, baseline }: Report): Html | undefined {
  if (final.classes === undefined) return undefined;
  const base = new Map(baseline?.classes?.map(({ name, f1 }) => [name, f1]));
  return html`<div class="wide"><table><caption>By class, tuned model</caption>
<thead><tr><th scope="col">class</th><th scope="col" class="n">precision</th><th scope="col" class="n">recall</th><th scope="col" class="n">F1</th>${baseline && html`<th scope="col" class="n">F1 of the base model</th>`}<th scope="col" class="n">support</th></tr></thead>
<tbody>${final.classes.map(
    (one) =>
      html`<tr><th scope="row">${one.name}</th><td class="n">${score(one.precision)}</td><td class="n">${score(one.recall)}</td><td class="n">${score(one.f1)}</td>${baseline && html`<td class="n">${score(base.get(one.name) ?? 0)}</td>`}<td class="n">${one.support}</td></tr>`,
  )}</tbody></table></div>`;
}

/** The rows that the tuned model got most wrong; the task says in what sense. */
export function errorTable({ config, worstErrors }: Report): Html {
  if (worstErrors.length === 0) return html`<p>The tuned model made no error on the test split.</p>`;
  const { caption, severity } = taskOf(config).mistakes;
  return html`<div class="wide"><table><caption>${caption}</caption>
<thead><tr><th scope="col" class="n">line</th><th scope="col">label</th><th scope="col">predicted</th><th scope="col" class="n">${severity}</th><th scope="col">text</th></tr></thead>
<tbody>${worstErrors.map(
    (error) =>
      html`<tr><td class="n">${error.line}</td><td>${error.label}</td><td>${error.predicted}</td><td class="n">${score(error.severity)}</td><td class="excerpt">${error.excerpt}</td></tr>`,
  )}</tbody></table></div>`;
}

export function pairsTable(caption: string, pairs: readonly (readonly [string, string | number])[]): Html {
  return html`<div class="wide"><table class="pairs"><caption>${caption}</caption><tbody>${pairs.map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
  )}</tbody></table></div>`;
}

export function splitsTable({ data }: Report): Html {
  const splits = Object.entries(data.splits) as [string, (typeof data.splits)['train'] | undefined][];
  const row = (name: string, split: (typeof data.splits)['train']) =>
    html`<tr><th scope="row">${name}</th><td class="n">${split.rows}</td><td class="n">${split.truncatedRows}</td><td class="n">${split.duplicateRows}</td><td class="n">${split.nearDuplicateRows}</td><td>${split.labels
      .slice(0, 8)
      .map(([label, rows]) => `${label} ${rows}`)
      .join(', ')}</td></tr>`;
  return html`<div class="wide"><table><caption>Rows by split</caption>
<thead><tr><th scope="col">split</th><th scope="col" class="n">rows</th><th scope="col" class="n">truncated</th><th scope="col" class="n">duplicates</th><th scope="col" class="n">near duplicates</th><th scope="col">labels</th></tr></thead>
<tbody>${splits.map(([name, split]) => split && row(name, split))}</tbody></table></div>`;
}

const signed = (value: number) => `${value < 0 ? '−' : '+'}${score(Math.abs(value))}`;
