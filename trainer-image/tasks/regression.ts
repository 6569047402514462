/** SequenceClassification that predicts a number for a text, learned by the squared error. */
import { quote } from '../data/record.ts';
import { kindOf, readTexts, textsOf } from '../data/row.ts';
import { TrainerError } from '../failure.ts';
import { regressionScores } from '../metrics/regression.ts';
import { squaredError } from './loss.ts';
import type { Task } from './task.ts';

export const regression: Task = {
  kind: 'Regression',
  name: 'SequenceClassification',

  readRow(values, columns) {
    const texts = readTexts(values, columns);
    if (typeof texts === 'string') return texts;
    const { label: column = 'label' } = columns;
    const value = toNumber(values[column]);
    if (value === undefined) return `${quote(column)} is ${kindOf(values[column])}, not a finite number`;
    if (Math.abs(value) > largestValue)
      return `${quote(column)} is the number ${value}, whose square is too large to learn from: scale the numbers`;
    return { ...texts, labels: [], value };
  },
  readsWords: false,
  checkTokenizer() {},
  targets: () => [],
  checkTrain({ values, file, rows }) {
    const first = values.at(0);
    for (const value of values) if (value !== first) return;
    throw new TrainerError(
      'DataError',
      `All ${rows} rows of ${file} have the number ${first}.`,
      'A regression needs at least two different numbers. Check dataset.columns.label.',
    );
  },
  labelled: 'otherwise',
  collate: (rows, split) => ({
    ...rows,
    labels: Float32Array.from(rows.indices, (row) => split.values.at(row)),
  }),

  width: () => 1,
  labels: () => ({ dtype: 'float32', shape: ['examples'] }),
  loss: squaredError,
  logitCount: ({ rows }) => rows,
  outputs: (logits) => [logits],

  recorder(split) {
    const predicted = new Float32Array(split.rows);
    return {
      figures: { predicted },
      add({ indices }, [output]) {
        for (const [position, row] of indices.entries()) predicted[row] = Number(output?.[position]);
      },
    };
  },
  compared: ['predicted'],
  scores({ evaluated, split }) {
    const scores = regressionScores(split.values.slice(), evaluated.figures['predicted']!);
    return { rows: split.rows, ...scores, loss: evaluated.loss };
  },
  scorer({ evaluated, split }, metric) {
    const { predicted } = evaluated.figures;
    const values = split.values.slice();
    return (rows) => {
      const actual = Array.from(rows, (row) => values[row]!);
      const scores = regressionScores(
        actual,
        Array.from(rows, (row) => predicted![row]!),
      );
      return metric === 'loss' ? scores.rmse ** 2 : scores[metric as keyof typeof scores];
    };
  },
  mistakes: {
    caption: 'Largest errors of the tuned model. Some may be wrong numbers in the data.',
    severity: 'error',
  },
  prediction({ evaluated, split }, row, content) {
    const predicted = evaluated.figures['predicted']?.[row] as number;
    const actual = split.values.at(row);
    const mistake = {
      label: shown(actual),
      predicted: shown(predicted),
      severity: Math.abs(predicted - actual),
    };
    return { line: { value: content.value, predicted, ...textsOf(content) }, mistake };
  },

  exportedConfig: () => ({
    id2label: { 0: 'LABEL_0' },
    label2id: { LABEL_0: 0 },
    problem_type: 'regression',
  }),
  card: () => ({ pipelineTag: 'text-classification', does: 'Gives a text a number' }),
};

/** A finite number, also as the text that a CSV file has for it. */
function toNumber(value: unknown): number | undefined {
  const text = typeof value === 'string' && /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(value);
  const number = typeof value === 'number' || text ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** The loss is a sum of squares in float32, which ends at 3e38. */
const largestValue = 1e15;

/** Four digits say enough about a predicted number. */
const shown = (value: number) => String(Number(value.toPrecision(4)));
