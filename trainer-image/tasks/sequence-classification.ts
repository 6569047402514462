/** SequenceClassification with one label a text. */
import type { MetricName } from '../../crds/tasks.ts';
import { labelsOf } from '../data/encoded.ts';
import { quote } from '../data/record.ts';
import { kindOf, labelProblem, readTexts, textsOf, toLabel } from '../data/row.ts';
import { calibrationError } from '../metrics/calibration.ts';
import { averages, classificationScores, emptyCounts } from '../metrics/classification.ts';
import { refuseOneLabel } from './checks.ts';
import { crossEntropy } from './loss.ts';
import { confidentMistakes } from './mistakes.ts';
import { negativeLogLikelihood, predictedClass, probabilities } from './softmax.ts';
import type { Evaluation, Task } from './task.ts';

export const sequenceClassification: Task = {
  kind: 'SingleLabelClassification',
  name: 'SequenceClassification',

  readRow(values, columns) {
    const texts = readTexts(values, columns);
    if (typeof texts === 'string') return texts;
    const { label: column = 'label' } = columns;
    const label = toLabel(values[column]);
    if (label === undefined)
      return `${quote(column)} is ${kindOf(values[column])}, not a string, an integer or a boolean`;
    return labelProblem(label, quote(column)) ?? { ...texts, labels: [label] };
  },
  readsWords: false,
  checkTokenizer() {},
  targets: (labelIds) => labelIds,
  checkTrain: refuseOneLabel,
  labelled: 'row',
  collate: (rows, split) => ({
    ...rows,
    labels: rows.indices.map((row) => labelsOf(split, row)[0] as number),
  }),

  width: (labels) => labels,
  labels: () => ({ dtype: 'int32', shape: ['examples'] }),
  loss: crossEntropy,
  logitCount: ({ rows }, { labels }) => rows * labels,
  outputs: (logits) => [logits],

  recorder(split, labels) {
    const classes = labels.length;
    const predicted = new Int32Array(split.rows);
    const loss = new Float64Array(split.rows);
    const confidence = new Float32Array(split.rows);
    const logits = new Float32Array(split.rows * classes);
    return {
      figures: { predicted, confidence, loss, logits },
      add({ indices, labels: actual }, [output]) {
        for (const [position, row] of indices.entries()) {
          const own = (output as Float32Array).subarray(position * classes, (position + 1) * classes);
          predicted[row] = predictedClass(own);
          confidence[row] = Math.max(...probabilities(own));
          loss[row] = negativeLogLikelihood(own, actual[position] as number);
          logits.set(own, row * classes);
        }
      },
    };
  },
  compared: ['predicted', 'confidence', 'loss'],
  scores(evaluation) {
    const { evaluated, split, labels } = evaluation;
    const { predicted } = evaluated.figures as Record<string, Int32Array>;
    const scores = classificationScores(split.labels.slice(), predicted as Int32Array, labels.length);
    const classes = scores.classes.map((one, id) => ({ name: labels[id] as string, ...one }));
    const ece = scorer(evaluation, 'ece')(Array.from(predicted as Int32Array, (_, row) => row));
    return { ...scores, ece, classes, loss: evaluated.loss };
  },
  scorer,
  mistakes: confidentMistakes,
  prediction({ evaluated, split, labels }, row, content) {
    const classes = labels.length;
    const logits = (evaluated.figures['logits'] as Float32Array).subarray(row * classes, (row + 1) * classes);
    const id = evaluated.figures['predicted']?.[row] as number;
    const label = labels[split.labels.at(row)] as string;
    const predicted = labels[id] as string;
    const probability = probabilities(logits)[id] as number;
    const line = { label, predicted, probability, logits: Array.from(logits), ...textsOf(content) };
    return label === predicted ? { line } : { line, mistake: { label, predicted, severity: probability } };
  },

  exportedConfig: (labels) => ({
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    problem_type: 'single_label_classification',
  }),
  card: (labels) => ({
    pipelineTag: 'text-classification',
    does: `Puts a text into one of ${labels.length} classes`,
  }),
};

function scorer(
  { evaluated, split, labels }: Evaluation,
  metric: MetricName,
): (rows: ArrayLike<number>) => number {
  const { predicted, confidence, loss } = evaluated.figures;
  const actualLabels = split.labels.slice();
  const own = (values: ArrayLike<number> | undefined, row: number) => values?.[row] as number;
  if (metric === 'loss') return (rows) => meanOf(rows, (row) => own(loss, row));
  if (metric === 'ece') {
    const isRight = (row: number) => own(predicted, row) === actualLabels[row];
    return (rows) => calibrationError(rows, confidence ?? [], isRight);
  }
  return (rows) => {
    const counts = emptyCounts(labels.length);
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] as number;
      const [actual, said] = [actualLabels[row] as number, own(predicted, row)];
      counts.actual[actual] = (counts.actual[actual] as number) + 1;
      counts.predicted[said] = (counts.predicted[said] as number) + 1;
      if (actual === said) counts.hits[actual] = (counts.hits[actual] as number) + 1;
    }
    return averages(counts)[metric as 'accuracy' | 'f1' | 'weightedF1'];
  };
}

function meanOf(rows: ArrayLike<number>, figureOf: (row: number) => number): number {
  let sum = 0;
  for (let index = 0; index < rows.length; index++) sum += figureOf(rows[index] as number);
  return rows.length === 0 ? 0 : sum / rows.length;
}
