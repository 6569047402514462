/**
 * The task TokenClassification: one tag a word. As in transformers' run_ner, the first token of a word carries its tag
 * and the others none; a word that maxLength cuts off is neither trained nor measured.
 */
import { labelsOf, tokensOf } from '../data/encoded.ts';
import { quote } from '../data/record.ts';
import { kindOf, labelProblem, textProblem } from '../data/row.ts';
import {
  addCounts,
  countEntities,
  type EntityCounts,
  entitiesOf,
  entityScores,
  strictEntitiesOf,
} from '../metrics/entities.ts';
import { refuseOneLabel } from './checks.ts';
import { crossEntropy } from './loss.ts';
import { confidentMistakes } from './mistakes.ts';
import { negativeLogLikelihood, predictedClass, probabilities } from './softmax.ts';
import type { Evaluation, Task } from './task.ts';

/** The label of tokens that carry none, as in PyTorch. */
const ignored = -100;

export const tokenClassification: Task = {
  kind: 'TokenClassification',
  name: 'TokenClassification',

  readRow(values, { tokens: tokensColumn = 'tokens', tags: tagsColumn = 'tags' }) {
    const words = values[tokensColumn];
    const tags = values[tagsColumn];
    const problem =
      listProblem(words, tokensColumn, textProblem) ??
      listProblem(tags, tagsColumn, (tag, name) =>
        typeof tag === 'string' ? labelProblem(tag, name) : textProblem(tag, name),
      );
    if (problem !== undefined) return problem;
    const [list, labels] = [words as string[], tags as string[]];
    if (list.length !== labels.length)
      return `${quote(tokensColumn)} has ${list.length} words and ${quote(tagsColumn)} ${labels.length} tags`;
    return { text: list.join(' '), words: list, labels };
  },
  readsWords: true,
  checkTokenizer() {},
  targets: (tagIds, words) =>
    words.map((word, token) => (word >= 0 && word !== words[token - 1] ? (tagIds[word] as number) : ignored)),
  checkTrain: refuseOneLabel,
  labelled: 'word',
  collate(rows, split) {
    const labels = new Int32Array(rows.rows * rows.length).fill(ignored);
    for (const [position, row] of rows.indices.entries())
      labels.set(labelsOf(split, row), position * rows.length);
    return { ...rows, labels };
  },

  width: (labels) => labels,
  labels: () => ({ dtype: 'int32', shape: ['batch', 'length'] }),
  loss: crossEntropy,
  logitCount: ({ rows, length }, { labels }) => rows * length * labels,
  outputs: (logits) => [logits],

  recorder(split, tags) {
    const classes = tags.length;
    const predicted = new Int32Array(split.ids.length).fill(ignored);
    const confidence = new Float32Array(split.ids.length);
    const loss = new Float64Array(split.rows);
    return {
      figures: { predicted, confidence, loss },
      add({ indices, length, labels }, [output]) {
        for (const [position, row] of indices.entries()) {
          const first = split.offsets[row] as number;
          for (let token = 0; token < tokensOf(split, row); token++) {
            const place = position * length + token;
            const label = labels[place] as number;
            if (label < 0) continue;
            const logits = (output as Float32Array).subarray(place * classes, (place + 1) * classes);
            const id = predictedClass(logits);
            predicted[first + token] = id;
            confidence[first + token] = probabilities(logits)[id] as number;
            loss[row] = (loss[row] as number) + negativeLogLikelihood(logits, label);
          }
        }
      },
    };
  },
  compared: ['predicted', 'loss'],
  scores(evaluation) {
    const rows = countRows(evaluation);
    const names = [...new Set(rows.flatMap(({ types }) => [...types.keys()]))].sort();
    const classes = names.map((name) => {
      const counts = addCounts(rows.flatMap(({ types }) => types.get(name) ?? []));
      return { name, ...entityScores(counts), support: counts.actual };
    });
    return { rows: rows.length, ...scoresOf(rows), loss: evaluation.evaluated.loss, classes };
  },
  scorer(evaluation, metric) {
    const counted = countRows(evaluation);
    return (rows) => {
      const scores = scoresOf(Array.from(rows, (row) => counted[row] as CountedRow));
      return scores[metric as keyof typeof scores];
    };
  },
  mistakes: confidentMistakes,
  prediction(evaluation, row, { words = [], labels: tags }) {
    const { labels } = evaluation;
    // null stands for a word that was cut off.
    const predicted: (string | null)[] = words.map(() => null);
    const tagged = taggedWords(evaluation, row);
    for (const { word, said } of tagged) predicted[word] = labels[said] as string;
    const line = { tokens: words, tags, predicted };
    const wrong = tagged.filter(({ actual, said }) => actual !== said);
    const worst = wrong.sort((a, b) => b.confidence - a.confidence)[0];
    if (worst === undefined) return { line };
    const mistake = {
      label: `${words[worst.word]}: ${labels[worst.actual]}`,
      predicted: labels[worst.said] as string,
      severity: worst.confidence,
    };
    return { line, mistake };
  },

  exportedConfig: (labels) => ({
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
  }),
  card: (labels) => ({
    pipelineTag: 'token-classification',
    does: `Gives each word of a text one of ${labels.length} tags`,
  }),
};

/** The reason why a value is no usable list of strings, if there is one. */
function listProblem(
  value: unknown,
  column: string,
  problemOf: (element: unknown, name: string) => string | undefined,
): string | undefined {
  const name = quote(column);
  if (!Array.isArray(value)) return `${name} is ${kindOf(value)}, not a list of strings`;
  if (value.length === 0) return `${name} is empty`;
  for (const [index, element] of value.entries()) {
    const problem = problemOf(element, `element ${index + 1} of ${name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

type TaggedWord = { word: number; actual: number; said: number; confidence: number };

/** The words of a row that were measured, with ids of their tags. */
function taggedWords({ evaluated, split }: Evaluation, row: number): TaggedWord[] {
  const { predicted, confidence } = evaluated.figures;
  const first = split.offsets[row] as number;
  return Array.from(labelsOf(split, row)).flatMap((actual, token) => {
    if (actual < 0) return [];
    const place = first + token;
    return {
      word: split.words[place] as number,
      actual,
      said: predicted?.[place] as number,
      confidence: confidence?.[place] ?? 0,
    };
  });
}

type CountedRow = {
  /** Counts by type of entity, over all types, and over all types in strict IOB2. */
  types: Map<string, EntityCounts>;
  entities: EntityCounts;
  strict: EntityCounts;
  words: number;
  rightWords: number;
  loss: number;
};

/** What the scores are sums of, for each row of the split. */
function countRows(evaluation: Evaluation): CountedRow[] {
  const { evaluated, split, labels } = evaluation;
  return Array.from({ length: split.rows }, (_, row) => {
    const words = taggedWords(evaluation, row);
    const actual = words.map((word) => labels[word.actual] as string);
    const said = words.map((word) => labels[word.said] as string);
    const types = countEntities(entitiesOf(actual), entitiesOf(said));
    const strict = countEntities(strictEntitiesOf(actual), strictEntitiesOf(said));
    return {
      types,
      entities: addCounts(types.values()),
      strict: addCounts(strict.values()),
      words: words.length,
      rightWords: words.filter((word) => word.actual === word.said).length,
      loss: evaluated.figures['loss']?.[row] as number,
    };
  });
}

function scoresOf(rows: readonly CountedRow[]) {
  const total = (of: (row: CountedRow) => number) => rows.reduce((sum, row) => sum + of(row), 0);
  const words = Math.max(
    1,
    total((row) => row.words),
  );
  return {
    ...entityScores(addCounts(rows.map(({ entities }) => entities))),
    strictF1: entityScores(addCounts(rows.map(({ strict }) => strict))).f1,
    accuracy: total((row) => row.rightWords) / words,
    loss: total((row) => row.loss) / words,
  };
}
