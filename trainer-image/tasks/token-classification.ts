/**
 * The task TokenClassification: one tag a word. As in transformers' run_ner, the first token of a word carries its tag
 * and the others none; a word that maxLength cuts off is neither trained nor measured.
 */
import { labelsOf, rowsOf, wordsOf } from '../data/encoded.ts';
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
    const positions: number[] = [];
    const labels: number[] = [];
    for (const [index, row] of rows.indices.entries()) {
      for (const [token, label] of labelsOf(split, row).entries()) {
        if (label < 0) continue;
        positions.push((rows.starts[index] as number) + token);
        labels.push(label);
      }
    }
    return { ...rows, positions: Int32Array.from(positions), labels: Int32Array.from(labels) };
  },

  width: (labels) => labels,
  labels: () => ({ dtype: 'int32', shape: ['positions'] }),
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
      add({ indices, length, positions = new Int32Array(), labels }, [output]) {
        for (const [index, position] of positions.entries()) {
          const row = indices[Math.floor(position / length)] as number;
          const token = (split.offsets[row] as number) + (position % length);
          const logits = (output as Float32Array).subarray(index * classes, (index + 1) * classes);
          const id = predictedClass(logits);
          predicted[token] = id;
          confidence[token] = probabilities(logits)[id] as number;
          loss[row] = (loss[row] as number) + negativeLogLikelihood(logits, labels[index] as number);
        }
      },
    };
  },
  compared: ['predicted', 'loss'],
  scores(evaluation) {
    const texts = countTexts(evaluation);
    const names = [...new Set(texts.flatMap(({ types }) => [...types.keys()]))].sort();
    const classes = names.map((name) => {
      const counts = addCounts(texts.flatMap(({ types }) => types.get(name) ?? []));
      return { name, ...entityScores(counts), support: counts.actual };
    });
    return { rows: texts.length, ...scoresOf(texts), loss: evaluation.evaluated.loss, classes };
  },
  scorer(evaluation, metric) {
    const counted = countTexts(evaluation);
    return (texts) => {
      const scores = scoresOf(Array.from(texts, (text) => counted[text] as CountedText));
      return scores[metric as keyof typeof scores];
    };
  },
  mistakes: confidentMistakes,
  prediction(evaluation, text, { words = [], labels: tags }) {
    const { labels } = evaluation;
    // null stands for a word that was cut off.
    const predicted: (string | null)[] = words.map(() => null);
    const tagged = taggedWords(evaluation, text);
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

/**
 * The words of a text that were measured, in order, with ids of their tags. A word that several windows share counts
 * once: where it has the most tokens around it.
 */
function taggedWords(evaluation: Evaluation, text: number): TaggedWord[] {
  const [first, end] = rowsOf(evaluation.split, text);
  if (end === first + 1) return wordsOfRow(evaluation, first);
  const best = new Map<number, TaggedWord & { context: number }>();
  for (let row = first; row < end; row++)
    for (const word of wordsOfRow(evaluation, row))
      if (word.context > (best.get(word.word)?.context ?? -1)) best.set(word.word, word);
  return [...best.values()].sort((a, b) => a.word - b.word);
}

/** `context` are the tokens between a word and the nearer end of its row. */
function wordsOfRow({ evaluated, split }: Evaluation, row: number): (TaggedWord & { context: number })[] {
  const { predicted, confidence } = evaluated.figures;
  const first = split.offsets[row] as number;
  const words = wordsOf(split, row);
  return Array.from(labelsOf(split, row)).flatMap((actual, token) => {
    if (actual < 0) return [];
    const place = first + token;
    return {
      word: words[token] as number,
      actual,
      said: predicted?.[place] as number,
      confidence: confidence?.[place] ?? 0,
      context: Math.min(token, words.length - 1 - token),
    };
  });
}

type CountedText = {
  /** Counts by type of entity, over all types, and over all types in strict IOB2. */
  types: Map<string, EntityCounts>;
  entities: EntityCounts;
  strict: EntityCounts;
  words: number;
  rightWords: number;
  /** Sum over all labels of all windows. */
  loss: number;
  labels: number;
};

/** What the scores are sums of, for each text of the split. */
function countTexts(evaluation: Evaluation): CountedText[] {
  const { evaluated, split, labels } = evaluation;
  return Array.from({ length: split.texts }, (_, text) => {
    const words = taggedWords(evaluation, text);
    const rows = range(...rowsOf(split, text));
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
      loss: sumOf(rows, (row) => evaluated.figures['loss']?.[row] as number),
      labels: sumOf(rows, (row) => labelsOf(split, row).filter((label) => label >= 0).length),
    };
  });
}

function scoresOf(texts: readonly CountedText[]) {
  const total = (of: (text: CountedText) => number) => sumOf(texts, of);
  const mean = (of: (text: CountedText) => number, count: (text: CountedText) => number) =>
    total(of) / Math.max(1, total(count));
  return {
    ...entityScores(addCounts(texts.map(({ entities }) => entities))),
    strictF1: entityScores(addCounts(texts.map(({ strict }) => strict))).f1,
    accuracy: mean(
      ({ rightWords }) => rightWords,
      ({ words }) => words,
    ),
    loss: mean(
      ({ loss }) => loss,
      ({ labels }) => labels,
    ),
  };
}

const range = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, index) => start + index);

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
