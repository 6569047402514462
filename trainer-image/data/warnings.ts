import type { Dataset, Splits } from './dataset.ts';
import {
  countConflicting,
  countDuplicates,
  countLabels,
  countLeaked,
  countLost,
  countTruncated,
  lengthRuleAccuracy,
  unknownShare,
} from './statistics.ts';

/** Below this part of the rows a label is rarely in a batch of 16, and its F1 hangs on a handful of rows. */
const rareShare = 0.05;
/** From this ratio on a model that always says the larger label has above 90 % accuracy with two labels. */
const imbalanceRatio = 10;
/** One row in five cut means that the model misses the ends of a notable part of the data. */
const truncatedShare = 0.2;
/** Below one duplicate in a hundred the effect on the weights is lost in the noise. */
const duplicateShare = 0.01;
/** With 100 rows a true accuracy of 0.9 is measured as anything between 0.84 and 0.96. */
const fewTestRows = 100;
/** WordPiece and BPE know nearly every text of their language; one token in a hundred hints at another language. */
const unknownTokenShare = 0.01;
/** A rule on length alone that avoids half of the errors of guessing the majority is a shortcut. */
const shortcutGain = 0.5;
/** On fewer rows some threshold fits by chance. */
const shortcutRows = 50;

const maxWarningLength = 256;
const maxWarnings = 12;

/** Findings in plain words, those that endanger the result most first. */
export function dataWarnings({ task, labels, splits }: Dataset): string[] {
  return [
    ...leakage(splits),
    ...conflicts(splits),
    ...missingLabels(labels, splits),
    ...fewRows(splits),
    ...(task.labelled === 'row' ? [...shortcut(labels, splits), ...imbalance(labels, splits)] : []),
    ...truncation(splits),
    ...(task.labelled === 'word' ? lostWords(splits) : []),
    ...unknownTokens(splits),
    ...duplicates(splits),
  ]
    .map((warning) => (warning.length > maxWarningLength ? `${warning.slice(0, 255)}…` : warning))
    .slice(0, maxWarnings);
}

function leakage({ train, validation, test }: Splits): string[] {
  const leaked = countLeaked(test, train);
  const leakedValidation = validation === undefined ? 0 : countLeaked(validation, train);
  return [
    ...(leaked === 0
      ? []
      : [
          `${leaked} of ${test.rows} test rows are also in the train split: the result will look better than it is. Remove them from one of the two.`,
        ]),
    ...(leakedValidation === 0
      ? []
      : [
          `${leakedValidation} of ${validation?.rows} validation rows are also in the train split: overfitting will be seen late.`,
        ]),
  ];
}

function conflicts({ train }: Splits): string[] {
  const rows = countConflicting(train);
  return rows === 0
    ? []
    : [`${rows} train rows have a text that also occurs with another label. Check how they were labelled.`];
}

function missingLabels(labels: readonly string[], splits: Splits): string[] {
  return Object.entries(splits).flatMap(([name, split]) => {
    const counts = countLabels(split, labels.length);
    const missing = labels.filter((_, id) => counts[id] === 0);
    if (missing.length === 0) return [];
    const effect = name === 'train' ? 'the model cannot learn them' : 'they are not measured there';
    return [`The ${name} split has no row with ${list(missing)}: ${effect}.`];
  });
}

function fewRows({ test }: Splits): string[] {
  return test.rows >= fewTestRows
    ? []
    : [`The test split has only ${test.rows} rows: a gain of a few percent may be chance.`];
}

function shortcut(labels: readonly string[], { train }: Splits): string[] {
  const majority = Math.max(...countLabels(train, labels.length)) / train.rows;
  const accuracy = lengthRuleAccuracy(train, labels.length);
  if (train.rows < shortcutRows || (accuracy - majority) / (1 - majority) <= shortcutGain) return [];
  return [
    `Length alone gives the label for ${percent(accuracy)} of the train rows (guessing the largest label: ${percent(majority)}). The model may learn length instead of content.`,
  ];
}

function imbalance(labels: readonly string[], { train }: Splits): string[] {
  const present = Array.from(countLabels(train, labels.length), (rows, id) => ({ rows, id }))
    .filter(({ rows }) => rows > 0)
    .sort((a, b) => a.rows - b.rows);
  const rarest = present[0];
  const largest = present.at(-1);
  if (rarest === undefined || largest === undefined) return [];
  // With many labels each of them is below the share even when all are equal.
  const tooRare = rarest.rows < rareShare * train.rows && rarest.rows < train.rows / (2 * present.length);
  if (!tooRare && largest.rows <= imbalanceRatio * rarest.rows) return [];
  return [
    `The labels are unbalanced: ${list([labels[rarest.id] as string])} has ${rarest.rows} of ${train.rows} train rows, ${list([labels[largest.id] as string])} ${largest.rows}. Look at f1, not at accuracy.`,
  ];
}

function truncation({ train }: Splits): string[] {
  const rows = countTruncated(train);
  return rows <= truncatedShare * train.rows
    ? []
    : [
        `${percent(rows / train.rows)} of the train rows are longer than training.maxLength and lose their ends.`,
      ];
}

function lostWords(splits: Splits): string[] {
  return Object.entries(splits).flatMap(([name, split]) => {
    const lost = countLost(split);
    return lost === 0
      ? []
      : [
          `${lost} tagged words of the ${name} split are beyond training.maxLength, or no token stands for them: they are left out of training and metrics.`,
        ];
  });
}

function unknownTokens({ train }: Splits): string[] {
  const share = unknownShare(train);
  return share <= unknownTokenShare
    ? []
    : [
        `${percent(share)} of the tokens are unknown to the model's vocabulary. Is the model made for this language?`,
      ];
}

function duplicates({ train }: Splits): string[] {
  const rows = countDuplicates(train);
  return rows <= duplicateShare * train.rows
    ? []
    : [
        `${rows} of ${train.rows} train rows repeat an earlier text (case and white space ignored): they weigh more than the others.`,
      ];
}

function list(labels: readonly string[]): string {
  const shown = labels
    .slice(0, 3)
    .map((label) => JSON.stringify(label.length > 24 ? `${label.slice(0, 24)}…` : label))
    .join(', ');
  return labels.length > 3 ? `${shown} and ${labels.length - 3} more` : shown;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
