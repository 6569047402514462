import { stringify } from 'yaml';
import { kindOf, metricsOf, metricTitle } from '../../crds/tasks.ts';
import { taskOf } from '../tasks/tasks.ts';
import { overfittingNote } from './overfitting.ts';
import { type Report, score } from './report.ts';
import { sliceNote } from './slices.ts';

/** README.md of the tuned model: the front matter that the Hugging Face hub reads, and what a person should know. */
export function modelCard(report: Report): string {
  const { config, final, baseline, training, model, data, labels, slices } = report;
  const { name, namespace, runId } = config.job;
  const table = metricsOf(kindOf(config)).map(
    (metric) =>
      `| ${metricTitle(kindOf(config), metric)} | ${score(baseline?.[metric])} | ${score(final[metric])} |`,
  );
  const { does } = taskOf(config).card(labels);
  const names = `${labels.slice(0, 40).map(plain).join(', ')}${labels.length > 40 ? ', ...' : ''}`;
  const settings = Object.entries(config.training).map(
    ([key, value]) => `- ${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  const warnings = data.warnings.map((warning) => `- ${plain(warning)}`);
  const bySlice = slices.map((scores) => `- By ${plain(scores.column)}: ${plain(sliceNote(scores))}`);
  return `---
${stringify(frontMatter(report)).trimEnd()}
---

# ${name}

${report.verdict.sentence}.

Fine-tuned from \`${model.uri}\` (${model.modelType}, ${model.parameters.toLocaleString('en')} parameters) by the
FineTuneJob ${namespace}/${name}, run ${runId}. ${does}${labels.length === 0 ? '' : `:\n${names}`}.

## Evaluation

${final.rows} held-out rows of \`${config.dataset.source.uri}\`.

| metric | base model | tuned model |
| --- | --- | --- |
${table.join('\n')}

## Training

${data.splits.train.rows} rows, ${training.steps} steps, ${training.trainedTokens.toLocaleString('en')} tokens. ${overfittingNote(report)}

${settings.join('\n')}

## Limits

The figures hold for texts like those of the test split; nothing is known about others.
${bySlice.length === 0 ? '' : `\n${bySlice.join('\n')}\n`}${warnings.length === 0 ? '' : `\nWhat the data report warns of:\n\n${warnings.join('\n')}\n`}`;
}

function frontMatter({ config, final, labels }: Report): unknown {
  const { name } = config.job;
  const { pipelineTag } = taskOf(config).card(labels);
  const metrics = metricsOf(kindOf(config));
  return {
    library_name: 'transformers',
    pipeline_tag: pipelineTag,
    tags: [pipelineTag, 'finetune-operator'],
    metrics: metrics.filter((metric) => metric !== 'loss'),
    'model-index': [
      {
        name,
        results: [
          {
            task: { type: pipelineTag },
            dataset: {
              name: config.dataset.source.uri,
              type: config.dataset.format.toLowerCase(),
              split: 'test',
            },
            metrics: metrics.map((metric) => ({
              type: metric,
              name: metricTitle(kindOf(config), metric),
              value: final[metric],
            })),
          },
        ],
      },
    ],
  };
}

/** Text from the dataset without what Markdown or HTML would read as markup. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}]+/gu, ' ').replace(/[\\`*_{}[\]<>#|&]/g, (c) => `&#${c.codePointAt(0)};`);
}
