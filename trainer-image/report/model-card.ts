import { stringify } from 'yaml';
import { overfittingNote } from './overfitting.ts';
import { type Report, score } from './report.ts';

/** README.md of the tuned model: the front matter that the Hugging Face hub reads, and what a person should know. */
export function modelCard(report: Report): string {
  const { config, final, baseline, training, model, data, labels } = report;
  const { name, namespace, runId } = config.job;
  const table = (['accuracy', 'f1', 'weightedF1', 'loss'] as const).map(
    (metric) =>
      `| ${metric} | ${baseline ? score(baseline[metric]) : 'not measured'} | ${score(final[metric])} |`,
  );
  const settings = Object.entries(config.training).map(
    ([key, value]) => `- ${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  const warnings = data.warnings.map((warning) => `- ${plain(warning)}`);
  return `---
${stringify(frontMatter(report)).trimEnd()}
---

# ${name}

${report.verdict.sentence}.

Fine-tuned from \`${model.uri}\` (${model.modelType}, ${model.parameters.toLocaleString('en')} parameters) by the
FineTuneJob ${namespace}/${name}, run ${runId}. Puts a text into one of ${labels.length} classes:
${labels.slice(0, 40).map(plain).join(', ')}${labels.length > 40 ? ', ...' : ''}.

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
${warnings.length === 0 ? '' : `What the data report warns of:\n\n${warnings.join('\n')}\n`}`;
}

function frontMatter({ config, final }: Report): unknown {
  const { name } = config.job;
  return {
    library_name: 'transformers',
    pipeline_tag: 'text-classification',
    tags: ['text-classification', 'finetune-operator'],
    metrics: ['accuracy', 'f1'],
    'model-index': [
      {
        name,
        results: [
          {
            task: { type: 'text-classification' },
            dataset: {
              name: config.dataset.source.uri,
              type: config.dataset.format.toLowerCase(),
              split: 'test',
            },
            metrics: [
              { type: 'accuracy', value: final.accuracy },
              { type: 'f1', name: 'macro F1', value: final.f1 },
              { type: 'f1', name: 'weighted F1', value: final.weightedF1 },
              { type: 'loss', value: final.loss },
            ],
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
