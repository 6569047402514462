/** The tasks and the metrics they are judged by: what each reads, measures and calls its figures, defined here once. */

type Metric = {
  meaning: string;
  /** Which way is better. */
  better: 'more' | 'less';
};

export const metrics = {
  loss: {
    meaning: 'Mean loss per row; per word with TokenClassification, per masked token with MaskedLM.',
    better: 'less',
  },
  accuracy: {
    meaning: 'Part of the rows that were classified rightly; of the words, or of the masked tokens.',
    better: 'more',
  },
  f1: {
    meaning: 'Macro F1: the mean of the F1 of each class. With TokenClassification the F1 of whole entities.',
    better: 'more',
  },
  weightedF1: { meaning: 'F1 weighted by the rows of each class.', better: 'more' },
  precision: { meaning: 'Part of the predicted entities that are right.', better: 'more' },
  recall: { meaning: 'Part of the entities that were found.', better: 'more' },
  strictF1: {
    meaning: 'F1 of whole entities where only what begins with a B- tag counts (strict IOB2).',
    better: 'more',
  },
  perplexity: { meaning: 'exp(loss): among how many tokens the model hesitates.', better: 'less' },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;
export const metricNames = Object.keys(metrics) as [MetricName, ...MetricName[]];

/** What a column holds for the task. */
export const columnRoles = {
  text: 'Column with the text. Default: text.',
  label: 'Column with the label: a string, an integer or a boolean. Default: label.',
  tokens: 'Column with the words: a list of strings. Default: tokens.',
  tags: 'Column with the tags: a list with one string a word, such as B-PER, I-PER and O. Default: tags.',
} as const;

export type ColumnRole = keyof typeof columnRoles;

type TaskRule = {
  meaning: string;
  /** Columns that it reads; each is called like its role unless dataset.columns says otherwise. */
  columns: readonly ColumnRole[];
  /** Whether the rows carry labels, so that dataset.labels may list them. */
  labelled: boolean;
  /** Metric -> how a report calls it. The first one decides where nothing else was asked for. */
  metrics: Partial<Record<MetricName, string>>;
};

export const tasks = {
  SequenceClassification: {
    meaning: 'puts each text into one of several classes',
    columns: ['text', 'label'],
    labelled: true,
    metrics: { accuracy: 'Accuracy', f1: 'Macro F1', weightedF1: 'Weighted F1', loss: 'Loss' },
  },
  TokenClassification: {
    meaning: 'gives each word a tag, which finds names and other entities',
    columns: ['tokens', 'tags'],
    labelled: true,
    metrics: {
      f1: 'Entity F1',
      precision: 'Entity precision',
      recall: 'Entity recall',
      strictF1: 'Strict entity F1',
      accuracy: 'Word accuracy',
      loss: 'Loss',
    },
  },
  MaskedLM: {
    meaning: 'guesses hidden tokens, which adapts a model to the language of a domain without labels',
    columns: ['text'],
    labelled: false,
    metrics: { loss: 'Loss', perplexity: 'Perplexity', accuracy: 'Masked accuracy' },
  },
} as const satisfies Record<string, TaskRule>;

export type TaskName = keyof typeof tasks;
export const taskNames = Object.keys(tasks) as [TaskName, ...TaskName[]];

export function metricsOf(task: TaskName): MetricName[] {
  return Object.keys(tasks[task].metrics) as MetricName[];
}

/** The metric of a comparison for which none was asked. */
export function mainMetric(task: TaskName): MetricName {
  return metricsOf(task)[0] as MetricName;
}

/** How a report calls a metric of a task. */
export function metricTitle(task: TaskName, metric: MetricName): string {
  const titles: Partial<Record<MetricName, string>> = tasks[task].metrics;
  return titles[metric] ?? metric;
}

/** By how much `value` is better than `base`: positive means better, whichever way the metric runs. */
export function improvement(metric: MetricName, value: number, base: number): number {
  return metrics[metric].better === 'more' ? value - base : base - value;
}
