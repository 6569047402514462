/** SequenceClassification with any number of labels a text: each label is a question of its own, answered yes above 0.5. */
import { type EncodedSplit, labelsOf } from '../data/encoded.ts';
import { quote } from '../data/record.ts';
import { type Content, kindOf, labelProblem, readTexts, textsOf, toLabel } from '../data/row.ts';
import { countLabelSets, labelSetScores, scoresOfLabel } from '../metrics/multi-label.ts';
import { refuseOneLabel } from './checks.ts';
import { binaryCrossEntropy } from './loss.ts';
import { confidentMistakes } from './mistakes.ts';
import type { Evaluation, Task } from './task.ts';

export const multiLabelClassification: Task = {
  kind: 'MultiLabelClassification',
  name: 'SequenceClassification',

  readRow(values, columns) {
    const texts = readTexts(values, columns);
    if (typeof texts === 'string') return texts;
    const { label: column = 'label' } = columns;
    const labels = readLabels(values[column], quote(column));
    return typeof labels === 'string' ? labels : { ...texts, labels };
  },
  readsWords: false,
  checkTokenizer() {},
  targets: (labelIds) => labelIds,
  checkTrain: refuseOneLabel,
  labelled: 'otherwise',
  collate(rows, split) {
    const labels = new Float32Array(rows.indices.length * split.labelCount);
    for (const [position, row] of rows.indices.entries())
      for (const label of labelsOf(split, row)) labels[position * split.labelCount + label] = 1;
    return { ...rows, labels };
  },

  width: (labels) => labels,
  labels: (count) => ({ dtype: 'float32', shape: ['examples', count] }),
  loss: binaryCrossEntropy,
  logitCount: ({ rows }, { labels }) => rows * labels,
  outputs: (logits) => [logits],

  recorder(split, labels) {
    const count = labels.length;
    const predicted = new Uint8Array(split.rows * count);
    const loss = new Float64Array(split.rows);
    const logits = new Float32Array(split.rows * count);
    return {
      figures: { predicted, loss, logits },
      add({ indices, labels: actual }, [output]) {
        for (const [position, row] of indices.entries()) {
          for (let label = 0; label < count; label++) {
            const logit = Number(output?.[position * count + label]);
            logits[row * count + label] = logit;
            predicted[row * count + label] = logit > 0 ? 1 : 0;
            const sign = actual[position * count + label] === 1 ? -1 : 1;
            loss[row] = (loss[row] as number) + softplus(sign * logit) / count;
          }
        }
      },
    };
  },
  compared: ['predicted', 'loss'],
  scores(evaluation) {
    const { evaluated, split, labels } = evaluation;
    const counts = countsOn(evaluation)(Array.from({ length: split.rows }, (_, row) => row));
    const classes = labels.map((name, label) => ({ name, ...scoresOfLabel(counts, label) }));
    return { rows: split.rows, ...labelSetScores(counts), loss: evaluated.loss, classes };
  },
  scorer(evaluation, metric) {
    const { loss } = evaluation.evaluated.figures;
    if (metric === 'loss')
      return (rows) => Array.from(rows).reduce((sum, row) => sum + loss![row]!, 0) / rows.length;
    const countRows = countsOn(evaluation);
    return (rows) => labelSetScores(countRows(rows))[metric as 'accuracy' | 'microF1' | 'f1'];
  },
  mistakes: confidentMistakes,
  prediction: ({ evaluated, labels }, row, content) => {
    const probabilities = labels.map((_, label) => {
      return 1 / (1 + Math.exp(-(evaluated.figures['logits']![row * labels.length + label] as number)));
    });
    const predicted = labels.filter((_, label) => probabilities[label]! > 0.5);
    const line = { labels: content.labels, predicted, probabilities, ...textsOf(content) };
    return { line, ...mistakeOf(content, labels, probabilities) };
  },

  exportedConfig: (labels) => ({
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    problem_type: 'multi_label_classification',
  }),
  card: (labels) => ({
    pipelineTag: 'text-classification',
    does: `Gives a text any of ${labels.length} labels`,
  }),
};

/** The different labels of a row, or the reason why it is bad. An empty list is a text without a label. */
function readLabels(value: unknown, name: string): string[] | string {
  if (!Array.isArray(value)) return `${name} is ${kindOf(value)}, not a list of labels`;
  const labels: string[] = [];
  for (const [index, element] of value.entries()) {
    const place = `element ${index + 1} of ${name}`;
    const label = toLabel(element);
    if (label === undefined) return `${place} is ${kindOf(element)}, not a string, an integer or a boolean`;
    const problem = labelProblem(label, place);
    if (problem !== undefined) return problem;
    if (labels.includes(label)) return `${name} has ${quote(label)} twice`;
    labels.push(label);
  }
  return labels;
}

function countsOn({ evaluated, split, labels }: Evaluation) {
  const actual = labelSets(split);
  const predicted = evaluated.figures['predicted']!;
  return (rows: ArrayLike<number>) => countLabelSets(actual, predicted, { labels: labels.length, rows });
}

/** [rows * labels] with 1 for each label that a row has. */
function labelSets(split: EncodedSplit): Uint8Array {
  const sets = new Uint8Array(split.rows * split.labelCount);
  for (let row = 0; row < split.rows; row++)
    for (const label of labelsOf(split, row)) sets[row * split.labelCount + label] = 1;
  return sets;
}

/** The label of which the model was most sure and wrong. */
function mistakeOf({ labels: actual }: Content, labels: readonly string[], probabilities: readonly number[]) {
  const wrong = labels
    .map((label, id) => ({ label, has: actual.includes(label), severity: probabilities[id]! }))
    .filter(({ has, severity }) => has !== severity > 0.5)
    .map(({ label, has, severity }) => ({
      label: has ? label : `not ${label}`,
      predicted: has ? `not ${label}` : label,
      severity: has ? 1 - severity : severity,
    }));
  const worst = wrong.sort((a, b) => b.severity - a.severity)[0];
  return worst === undefined ? {} : { mistake: worst };
}

/** log(1 + exp(x)) without overflow. */
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
