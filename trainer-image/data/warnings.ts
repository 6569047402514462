import { dataChecks } from '../../crds/data-checks.ts';
import type { Splits } from './dataset.ts';
import type { DataFigures } from './figures.ts';
import type { ReportedData } from './report.ts';
import { isSmall, type SlicedColumn, slicesOf } from './slices.ts';
import { countLabels } from './statistics.ts';

/** On fewer rows some rule on length fits by chance. */
const shortcutRows = 50;

const maxWarningLength = 256;
const maxWarnings = 12;

/** Findings in plain words, those that endanger the result most first. */
export function dataWarnings(
  { task, labels, splits, slices }: ReportedData,
  figures: DataFigures,
  headLabels?: readonly string[],
): string[] {
  return [
    ...leakage(splits, figures),
    ...conflicts(figures),
    ...otherHead(labels, headLabels),
    ...missingLabels(labels, splits),
    ...fewRows(splits),
    ...smallSlices(slices),
    ...shortcut(labels, splits, figures),
    ...(task.labelled === 'row' ? imbalance(labels, splits) : []),
    ...truncation(figures),
    ...lostWords(figures),
    ...unknownTokens(figures),
    ...duplicates(figures),
  ]
    .map((warning) => (warning.length > maxWarningLength ? `${warning.slice(0, 255)}…` : warning))
    .slice(0, maxWarnings);
}

function leakage({ test, validation }: Splits, { leaked, nearLeaked }: DataFigures): string[] {
  const warnings = [];
  if (leaked.test > dataChecks.leakage.threshold)
    warnings.push(
      `${leaked.test} of ${test.rows} test rows are also in the train split: the result will look better than it is. Remove them from one of the two.`,
    );
  if (nearLeaked.test > dataChecks.nearLeakage.threshold * test.rows)
    warnings.push(
      `${nearLeaked.test} of ${test.rows} test rows are nearly the same as a train row: the result will look better than it is. Split by source, author or time.`,
    );
  const rows = validation?.rows ?? 0;
  if (leaked.validation > dataChecks.leakage.threshold)
    warnings.push(
      `${leaked.validation} of ${rows} validation rows are also in the train split: overfitting will be seen late. Remove them from one of the two.`,
    );
  if (nearLeaked.validation > dataChecks.nearLeakage.threshold * rows)
    warnings.push(
      `${nearLeaked.validation} of ${rows} validation rows are nearly the same as a train row: overfitting will be seen late. Split by source, author or time.`,
    );
  return warnings;
}

function conflicts({ conflictingRows }: DataFigures): string[] {
  return conflictingRows <= dataChecks.conflicts.threshold
    ? []
    : [
        `${conflictingRows} train rows have a text that also occurs with another label. Check how they were labelled.`,
      ];
}

/** A head of another size is refused; one of the same size is used, whatever its labels were. */
function otherHead(labels: readonly string[], headLabels: readonly string[] = []): string[] {
  const isSame = (label: string, id: number) => label.toLowerCase() === headLabels[id]?.toLowerCase();
  return labels.length !== headLabels.length || labels.every(isSame)
    ? []
    : [
        `The classifier of the model knows other labels, or another order of them: ${list(headLabels)}. Its weights mislead at first. Use the model's base, or that order in dataset.labels.`,
      ];
}

function missingLabels(labels: readonly string[], splits: Splits): string[] {
  return Object.entries(splits).flatMap(([name, split]) => {
    const counts = countLabels(split, labels.length);
    const missing = labels.filter((_, id) => counts[id] === 0);
    if (missing.length === 0) return [];
    const effect = name === 'train' ? 'the model cannot learn them' : 'they are not measured there';
    return [`The ${name} split has no row with ${list(missing)}: ${effect}. Add some.`];
  });
}

function fewRows({ test }: Splits): string[] {
  return test.rows >= dataChecks.fewTestRows.threshold
    ? []
    : [
        `The test split has only ${test.rows} rows: a gain of a few percent may be chance. Hold out more rows.`,
      ];
}

function smallSlices(columns: readonly SlicedColumn[]): string[] {
  return columns.flatMap((sliced) => {
    const rows = slicesOf(sliced);
    const small = sliced.values.filter((_, place) => isSmall(rows[place] ?? []));
    return small.length === 0
      ? []
      : [
          `Slices of ${list([sliced.column])} with fewer than ${dataChecks.smallSlices.threshold} test rows: ${list(small)}. They count neither for the worst slice nor for the gap. Hold out more of their rows.`,
        ];
  });
}

function shortcut(
  labels: readonly string[],
  { train }: Splits,
  { lengthRuleAccuracy: accuracy }: DataFigures,
): string[] {
  if (accuracy === undefined) return [];
  const majority = Math.max(...countLabels(train, labels.length)) / train.rows;
  const avoided = (accuracy - majority) / (1 - majority);
  if (train.rows < shortcutRows || !(avoided > dataChecks.lengthShortcut.threshold)) return [];
  return [
    `Length alone gives the label for ${percent(accuracy)} of the train rows (guessing the largest label: ${percent(majority)}). The model may learn length instead of content. Add texts of other lengths to each label.`,
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
  const share = Math.min(dataChecks.rareLabel.threshold, 1 / (2 * present.length));
  const tooRare = rarest.rows < share * train.rows;
  if (!tooRare && largest.rows <= dataChecks.imbalance.threshold * rarest.rows) return [];
  return [
    `The labels are unbalanced: ${list([labels[rarest.id] as string])} has ${rarest.rows} of ${train.rows} train rows, ${list([labels[largest.id] as string])} ${largest.rows}. Look at f1, not at accuracy, and add rows of the rare label.`,
  ];
}

function truncation({ splits: { train } }: DataFigures): string[] {
  return train.truncatedRows <= dataChecks.truncation.threshold * train.rows
    ? []
    : [
        `${percent(train.truncatedRows / train.rows)} of the train rows are longer than training.maxLength and lose their ends. Raise it, or shorten the texts to what decides the label.`,
      ];
}

function lostWords({ splits }: DataFigures): string[] {
  return Object.entries(splits).flatMap(([name, split]) => {
    const lost = split?.lostWords ?? 0;
    return lost <= dataChecks.lostWords.threshold
      ? []
      : [
          `${lost} tagged words of the ${name} split are beyond training.maxLength, or no token stands for them: they are left out of training and metrics. Raise maxLength, set training.stride, or cut the texts.`,
        ];
  });
}

function unknownTokens({ unknownTokenShare }: DataFigures): string[] {
  return unknownTokenShare <= dataChecks.unknownTokens.threshold
    ? []
    : [
        `${percent(unknownTokenShare)} of the tokens are unknown to the model's vocabulary. Use a model that was made for this language.`,
      ];
}

function duplicates({ splits: { train } }: DataFigures): string[] {
  const warnings = [];
  if (train.duplicateRows > dataChecks.duplicates.threshold * train.rows)
    warnings.push(
      `${train.duplicateRows} of ${train.rows} train rows repeat an earlier text (case and white space ignored): they weigh more than the others. Keep one of each.`,
    );
  if (train.nearDuplicateRows > dataChecks.nearDuplicates.threshold * train.rows)
    warnings.push(
      `${train.nearDuplicateRows} of ${train.rows} train rows are nearly the same as an earlier one: the model learns the template by heart. Keep a few of each kind.`,
    );
  return warnings;
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
