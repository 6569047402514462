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
