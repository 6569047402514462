/** What the data report warns of: each check with its measure and its threshold. The reference is generated from it. */
export type DataCheck = {
  /** What is counted or computed. */
  measure: string;
  /** The warning comes when the measure is on this side of the threshold. */
  warns: 'above' | 'below';
  threshold: number;
  /** Of the threshold: "rows", or "of the rows" for a part of them. */
  unit: string;
  /** Why the line is drawn there. */
  reason: string;
  /** What it means for the model, and what to do. */
  advice: string;
};

export const dataChecks = {
  leakage: {
    measure: 'Rows of test, or of validation, whose text is also in train; case and white space are ignored.',
    warns: 'above',
    threshold: 0,
    unit: 'rows',
    reason: 'One such row is already a mistake in how the data was split.',
    advice: 'The model has seen the answers: remove the rows from one of the two splits.',
  },
  nearLeakage: {
    measure:
      'Rows of test, or of validation, that share at least 80 % of their runs of three tokens with a row of train (Jaccard index, estimated by MinHash), without those that leak as a whole.',
    warns: 'above',
    threshold: 0.01,
    unit: 'of the rows',
    reason: 'Texts made from one template occur in most data; more than one in a hundred moves the result.',
    advice: 'The result looks better than it is: split by source, author or time instead of at random.',
  },
  conflicts: {
    measure: 'Train rows whose text also occurs with another label.',
    warns: 'above',
    threshold: 0,
    unit: 'rows',
    reason: 'At least one of the labels is wrong, or the text does not decide it.',
    advice: 'Check how they were labelled.',
  },
  fewTestRows: {
    measure: 'Rows of the test split.',
    warns: 'below',
    threshold: 100,
    unit: 'rows',
    reason: 'With 100 rows a true accuracy of 0.9 is measured as anything between 0.84 and 0.96.',
    advice: 'A gain of a few percent may be chance: hold out more rows.',
  },
  smallSlices: {
    measure: 'Test rows of a slice, where dataset.slices names columns.',
    warns: 'below',
    threshold: 30,
    unit: 'rows',
    reason: 'With 30 rows a true accuracy of 0.9 is measured as anything between 0.79 and 1.',
    advice:
      'Its figures are shown, but count neither for the worst slice nor for the gap or the gate: hold out more of its rows.',
  },
  lengthShortcut: {
    measure:
      'Part of the errors of always saying the most frequent label that the best rule of the form "shorter than n tokens: one label, else another" avoids, on the train rows it was made from; from 50 rows on.',
    warns: 'above',
    threshold: 0.5,
    unit: 'of the errors',
    reason: 'Half of the task can then be solved without reading a word.',
    advice: 'The model may learn length instead of content: add texts of other lengths to each label.',
  },
  imbalance: {
    measure: 'Train rows of the most frequent label for each row of the rarest one.',
    warns: 'above',
    threshold: 10,
    unit: 'rows',
    reason: 'Always saying the most frequent of two labels is then right in more than nine of ten rows.',
    advice: 'Look at f1, not at accuracy, and add rows of the rare label.',
  },
  rareLabel: {
    measure:
      'Train rows of the rarest label; with more than ten labels they are held to half of an equal share instead.',
    warns: 'below',
    threshold: 0.05,
    unit: 'of the rows',
    reason: 'It is rarely in a batch of 16, and its F1 hangs on a handful of rows.',
    advice: 'Look at f1, not at accuracy, and add rows of the rare label.',
  },
  truncation: {
    measure: 'Train rows that are longer than training.maxLength.',
    warns: 'above',
    threshold: 0.2,
    unit: 'of the rows',
    reason: 'The model then misses the ends of a notable part of the data.',
    advice: 'Raise training.maxLength, or shorten the texts to what decides the label.',
  },
  lostWords: {
    measure:
      'Words with a tag that no token stands for: beyond training.maxLength, or unknown to the tokenizer.',
    warns: 'above',
    threshold: 0,
    unit: 'words',
    reason: 'They are neither trained nor measured, and nobody asked for that.',
    advice: 'Raise training.maxLength, or cut the texts.',
  },
  unknownTokens: {
    measure: 'Tokens of train that the vocabulary of the model does not know.',
    warns: 'above',
    threshold: 0.01,
    unit: 'of the tokens',
    reason: 'WordPiece and BPE know nearly every text of their language.',
    advice: 'Use a model that was made for the language and the characters of the texts.',
  },
  duplicates: {
    measure: 'Train rows that repeat an earlier text; case and white space are ignored.',
    warns: 'above',
    threshold: 0.01,
    unit: 'of the rows',
    reason: 'Below, the effect on the weights is lost in the noise.',
    advice: 'They weigh more than the others: keep one of each.',
  },
  nearDuplicates: {
    measure:
      'Train rows that are nearly an earlier row, measured as for near leakage, without exact repeats.',
    warns: 'above',
    threshold: 0.05,
    unit: 'of the rows',
    reason: 'They differ in a few words, so they are less of a repetition than exact ones.',
    advice: 'The model learns the template by heart: keep a few of each kind.',
  },
} as const satisfies Record<string, DataCheck>;

/** What is said about the tuned model, in the report and as a condition of the job. */
export const resultChecks = {
  evalLossRise: {
    measure: 'Rise of the validation loss after its lowest value, up to the last evaluation.',
    warns: 'above',
    threshold: 0.05,
    unit: 'of the lowest value',
    reason: 'Less comes and goes between evaluations by chance.',
    advice:
      'The model began to learn the training rows by heart. The best weights are kept; fewer epochs, early stopping, more dropout or more data save the time.',
  },
  trainEvalGap: {
    measure:
      'How far the last validation loss is above the training loss (mean of the last 10 steps), where the difference is at least 0.1.',
    warns: 'above',
    threshold: 0.5,
    unit: 'of the training loss',
    reason: 'Dropout alone moves the two apart by less, and in the other direction.',
    advice:
      'The model knows its training rows much better than others: more data, fewer epochs or more dropout.',
  },
  sliceGapGrowth: {
    measure:
      'Gap between best and worst slice of the tuned model less that of the base model: lower end of the 95 % interval (paired bootstrap).',
    warns: 'above',
    threshold: 0,
    unit: 'in the metric',
    reason: 'Above it the growth is more than chance.',
    advice: 'Fine-tuning helped some groups more than others: add training rows of the worst slice.',
  },
} as const satisfies Record<string, DataCheck>;

export type OverfittingSign = 'EvalLossRose' | 'TrainEvalGap';

/** The sign of overfitting in the losses of a run, if there is one. */
export function signOfOverfitting(losses: {
  trainLoss: number;
  evalLoss: number;
  lowestEvalLoss: number;
}): OverfittingSign | undefined {
  const { trainLoss, evalLoss, lowestEvalLoss } = losses;
  const { evalLossRise, trainEvalGap } = resultChecks;
  if (evalLoss > lowestEvalLoss * (1 + evalLossRise.threshold)) return 'EvalLossRose';
  const notable = evalLoss - trainLoss > smallestGap;
  return notable && evalLoss > trainLoss * (1 + trainEvalGap.threshold) ? 'TrainEvalGap' : undefined;
}

/** Of two losses near zero one may be many times the other and both still be right. */
const smallestGap = 0.1;
