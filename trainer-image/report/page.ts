import { kindOf, type MetricName, metricsOf, metricTitle } from '../../crds/tasks.ts';
import { learningRateChart, lossChart, validationChart } from './curves.ts';
import { Html, html } from './html.ts';
import { isOverfitted, overfittingNote } from './overfitting.ts';
import { type Report, score } from './report.ts';
import { sliceTables } from './slices.ts';
import { style } from './style.ts';
import {
  classTable,
  comparisonTable,
  confusionTable,
  errorTable,
  pairsTable,
  splitsTable,
} from './tables.ts';

/** report.html: one file without scripts and without anything from the network. */
export function reportPage(report: Report): string {
  const { job } = report.config;
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${job.namespace}/${job.name}: ${report.verdict.sentence}</title><style>${new Html(style)}</style></head>
<body><main>
${head(report)}
<h2>Training</h2>
${lossChart(report)}
<p class="note${isOverfitted(report) && ' warn'}">${overfittingNote(report)}</p>
${validationChart(report)}
${learningRateChart(report)}
<h2>Comparison</h2>
${comparisonTable(report)}
<div class="pair">${report.baseline && confusionTable('Base model', report.labels, report.baseline)}
${confusionTable('Tuned model', report.labels, report.final)}</div>
${classTable(report)}
${sliceTables(report)}
${errorTable(report)}
<h2>Data</h2>
${warnings(report)}
${splitsTable(report)}
${pairsTable('Texts', dataPairs(report))}
<h2>Settings</h2>
${pairsTable('Run', runPairs(report))}
${pairsTable('Training', trainingPairs(report))}
${pairsTable('Digests', digestPairs(report))}
<footer>${report.createdAt} · FineTune Operator ${report.versions.trainer}</footer>
</main></body></html>
`.text;
}

function head(report: Report): Html {
  const { verdict, final, baseline, training, config } = report;
  const rejected = verdict.outcome === 'Rejected';
  const [main, second] = metricsOf(kindOf(config)) as [MetricName, MetricName];
  const title = (metric: MetricName) => metricTitle(kindOf(config), metric);
  const figures: [string, string][] = [
    [title(main), score(final[main])],
    [title(second), score(final[second])],
    ...(baseline
      ? ([[`${title(main)} of the base model`, score(baseline[main])]] as [string, string][])
      : []),
    ['steps', String(training.steps)],
    ['training time', duration(training.trainSeconds)],
  ];
  return html`<header><p>${config.job.namespace}/${config.job.name} · run ${config.job.runId} · ${config.task}</p>
<h1>${verdict.sentence}</h1>
<p><span class="badge ${rejected && 'rejected'}">${rejected ? 'Rejected' : 'Published'}</span> ${report.device}${report.deviceWarning && `: ${report.deviceWarning}`}</p>
${verdict.reasons.length > 0 && html`<ul class="warnings">${verdict.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`}
<ul class="figures">${figures.map(([name, value]) => html`<li><b>${value}</b>${name}</li>`)}</ul></header>`;
}

function warnings({ data }: Report): Html {
  if (data.warnings.length === 0) return html`<p>Nothing in the data asks for attention.</p>`;
  return html`<ul class="warnings">${data.warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`;
}

function dataPairs({ data }: Report): [string, string | number][] {
  return [
    [
      'Tokens in a training text',
      `median ${data.tokens.median}, 95 % up to ${data.tokens.p95}, longest ${data.tokens.max}`,
    ],
    ['Test rows also in train', `${data.leakedRows}, nearly ${data.nearLeakedRows}`],
    ...(data.labels === 0
      ? []
      : [['Train rows with conflicting labels', data.conflictingRows] as [string, number]]),
    ['Tokens that the vocabulary does not know', percent(data.unknownTokenShare)],
    ...(data.lengthRuleAccuracy === undefined
      ? []
      : [
          ['Train rows that a rule on length alone puts right', percent(data.lengthRuleAccuracy)] as [
            string,
            string,
          ],
        ]),
    ...lostWords(data.splits),
  ];
}

/** Words that no token stands for, by split; nothing for a task that reads no words. */
function lostWords(splits: Report['data']['splits']): [string, number][] {
  return Object.entries(splits).flatMap(([name, split]): [string, number][] =>
    split?.lostWords === undefined ? [] : [[`Words cut off in ${name}`, split.lostWords]],
  );
}

function runPairs({ config, model, device, versions, training }: Report): [string, string | number][] {
  return [
    ['Base model', `${model.uri} (${model.modelType}, ${model.parameters.toLocaleString('en')} parameters)`],
    ['Dataset', config.dataset.source.uri],
    ['Output', config.output.uri],
    ['Device', device],
    ['Newly initialised weights', model.newlyInitialized.join(', ') || 'none'],
    ['Unused weights of the base model', model.unusedKeys.join(', ') || 'none'],
    ['Trained tokens', training.trainedTokens.toLocaleString('en')],
    ...(training.resumedFromStep === undefined
      ? []
      : [['Resumed from step', training.resumedFromStep] as [string, number]]),
    ['Versions', `trainer ${versions.trainer}, TensorFlow ${versions.tensorflow}, Node.js ${versions.node}`],
  ];
}

function trainingPairs({ config, training }: Report): [string, string][] {
  const settings = Object.entries(config.training).map(([name, value]): [string, string] => [
    name,
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ]);
  const { best } = training;
  return [
    ...settings,
    ['steps', `${training.steps} of ${training.totalSteps}, ${training.stepsPerEpoch} an epoch`],
    [
      'weights kept',
      best ? `step ${best.step}, ${best.metric} ${score(best.value)} on validation` : 'last step',
    ],
  ];
}

function digestPairs({ model, data }: Report): [string, string][] {
  const splits = Object.entries(data.splits).flatMap(([name, split]): [string, string][] =>
    split ? [[`Split ${name}`, split.digest]] : [],
  );
  return [['Base model', model.digest], ...splits];
}

const percent = (part: number) => `${(100 * part).toFixed(1)} %`;

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
