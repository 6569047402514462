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
    meaning:
      'Part of the rows that were classified rightly, with all their labels; of the words, or of the masked tokens.',
    better: 'more',
  },
  f1: {
    meaning: 'Macro F1: the mean of the F1 of each class. With TokenClassification the F1 of whole entities.',
    better: 'more',
  },
  weightedF1: { meaning: 'F1 weighted by the rows of each class.', better: 'more' },
  ece: {
    meaning:
      'Expected calibration error: how far the probability of what the model says is from the part that is right.',
    better: 'less',
  },
  microF1: { meaning: 'F1 over all labels of all rows together.', better: 'more' },
  precision: { meaning: 'Part of the predicted entities that are right.', better: 'more' },
  recall: { meaning: 'Part of the entities that were found.', better: 'more' },
  strictF1: {
    meaning: 'F1 of whole entities where only what begins with a B- tag counts (strict IOB2).',
    better: 'more',
  },
  perplexity: { meaning: 'exp(loss): among how many tokens the model hesitates.', better: 'less' },
  rmse: { meaning: 'Root of the mean squared error.', better: 'less' },
  pearson: { meaning: 'Correlation of predicted and actual numbers (Pearson).', better: 'more' },
  spearman: { meaning: 'Correlation of their ranks (Spearman).', better: 'more' },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;
export const metricNames = Object.keys(metrics) as [MetricName, ...MetricName[]];

/** What a column holds for the task. */
export const columnRoles = {
  text: 'Column with the text. Default: text.',
  text2:
    'Column with a second text, where SequenceClassification judges pairs, such as a question and an answer.',
  label:
    'Column with the label: a string, an integer or a boolean; a list of these where a text has several labels, a number with Regression. Default: label.',
  tokens: 'Column with the words: a list of strings. Default: tokens.',
  tags: 'Column with the tags: a list with one string a word, such as B-PER, I-PER and O. Default: tags.',
} as const;

export type ColumnRole = keyof typeof columnRoles;

/** What SequenceClassification predicts: Hugging Face's problem_type. */
export const problemTypes = {
  SingleLabelClassification: 'one of several labels',
  MultiLabelClassification: 'any number of labels',
  Regression: 'a number',
} as const;

export type ProblemType = keyof typeof problemTypes;
export const problemTypeNames = Object.keys(problemTypes) as [ProblemType, ...ProblemType[]];

export const tasks = {
  SequenceClassification:
    'puts each text into one of several classes, or gives it several labels or a number',
  TokenClassification: 'gives each word a tag, which finds names and other entities',
  MaskedLM: 'guesses hidden tokens, which adapts a model to the language of a domain without labels',
} as const;

export type TaskName = keyof typeof tasks;
export const taskNames = Object.keys(tasks) as [TaskName, ...TaskName[]];

type KindRule = {
  task: TaskName;
  problemType?: ProblemType;
  /** Columns that it reads; each is called like its role unless dataset.columns says otherwise. */
  columns: readonly ColumnRole[];
  /** Columns that it reads where they are named. */
  optionalColumns: readonly ColumnRole[];
  /** Whether dataset.labels may list the labels. */
  labelled: boolean;
  /** Whether a column holds lists, which only some formats can. */
  lists: boolean;
  /** Whether the loss is that of one choice among several, which label smoothing is for. */
  smoothing: boolean;
  /** Metric -> how a report calls it. The first one decides where nothing else was asked for. */
  metrics: Partial<Record<MetricName, string>>;
};

/** The kinds of a run: its task and, with SequenceClassification, its problem type. */
export const kinds = {
  SingleLabelClassification: {
    task: 'SequenceClassification',
    problemType: 'SingleLabelClassification',
    columns: ['text', 'label'],
    optionalColumns: ['text2'],
    labelled: true,
    lists: false,
    smoothing: true,
    metrics: {
      accuracy: 'Accuracy',
      f1: 'Macro F1',
      weightedF1: 'Weighted F1',
      ece: 'Calibration error',
      loss: 'Loss',
    },
  },
  MultiLabelClassification: {
    task: 'SequenceClassification',
    problemType: 'MultiLabelClassification',
    columns: ['text', 'label'],
    optionalColumns: ['text2'],
    labelled: true,
    lists: true,
    smoothing: false,
    metrics: { microF1: 'Micro F1', f1: 'Macro F1', accuracy: 'Exact accuracy', loss: 'Loss' },
  },
  Regression: {
    task: 'SequenceClassification',
    problemType: 'Regression',
    columns: ['text', 'label'],
    optionalColumns: ['text2'],
    labelled: false,
    lists: false,
    smoothing: false,
    metrics: { pearson: 'Pearson', spearman: 'Spearman', rmse: 'RMSE', loss: 'Loss' },
  },
  TokenClassification: {
    task: 'TokenClassification',
    columns: ['tokens', 'tags'],
    optionalColumns: [],
    labelled: true,
    lists: true,
    smoothing: true,
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
    task: 'MaskedLM',
    columns: ['text'],
    optionalColumns: [],
    labelled: false,
    lists: false,
    smoothing: true,
    metrics: { loss: 'Loss', perplexity: 'Perplexity', accuracy: 'Masked accuracy' },
  },
} as const satisfies Record<string, KindRule>;

export type Kind = keyof typeof kinds;
export const kindNames = Object.keys(kinds) as [Kind, ...Kind[]];

/** What a run is, whose problem type may be left out. */
export type KindOf = { task: TaskName; problemType?: ProblemType | undefined };

export function kindOf({ task, problemType = 'SingleLabelClassification' }: KindOf): Kind {
  return task === 'SequenceClassification' ? problemType : task;
}

export function metricsOf(kind: Kind): MetricName[] {
  return Object.keys(kinds[kind].metrics) as MetricName[];
}

/** The metric of a comparison for which none was asked. */
export function mainMetric(kind: Kind): MetricName {
  return metricsOf(kind)[0] as MetricName;
}

/** The metric by which base and tuned model of a run are compared: that of its gate, else the main one. */
export function comparedBy(run: KindOf & { gate?: { metric: MetricName } | undefined }): MetricName {
  return run.gate?.metric ?? mainMetric(kindOf(run));
}

/** How a report calls a metric of a kind of run. */
export function metricTitle(kind: Kind, metric: MetricName): string {
  const titles: Partial<Record<MetricName, string>> = kinds[kind].metrics;
  return titles[metric] ?? metric;
}

/** By how much `value` is better than `base`: positive means better, whichever way the metric runs. */
export function improvement(metric: MetricName, value: number, base: number): number {
  return metrics[metric].better === 'more' ? value - base : base - value;
}
