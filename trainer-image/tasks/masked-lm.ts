/**
 * The task MaskedLM: guess hidden tokens. Which tokens are hidden follows from seed, epoch and row alone, so that a
 * resumed run sees what the undisturbed one sees; at evaluation it follows from the row, so that every model and every
 * evaluation is asked the same.
 */
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { type EncodedSplit, idsOf, rowsOf, wordsOf } from '../data/encoded.ts';
import { purposes, type Random, random } from '../data/random.ts';
import { quote } from '../data/record.ts';
import { textProblem } from '../data/row.ts';
import { TrainerError } from '../failure.ts';
import { argMax } from '../graph/array-ops.ts';
import { sparseSoftmaxCrossEntropy } from '../graph/ops.ts';
import { crossEntropy } from './loss.ts';
import type { Evaluation, Task } from './task.ts';

export type Masking = NonNullable<RunConfig['training']['masking']>;

/** Of the chosen tokens, as BERT has it: this part is replaced by the mask token, ... */
const maskedPart = 0.8;
/** ... and this part by a random token; the rest stays as it is. */
const randomPart = 0.1;

/** The task with this way to choose tokens; MaskedLM has no labels of its own. */
export function maskedLM(masking: Masking): Task {
  return {
    kind: 'MaskedLM',
    name: 'MaskedLM',

    readRow(values, { text: column = 'text' }) {
      const text = values[column];
      return textProblem(text, quote(column)) ?? { text: text as string, labels: [] };
    },
    readsWords: true,
    checkTokenizer({ maskTokenId }) {
      if (maskTokenId !== undefined) return;
      throw new TrainerError(
        'ModelError',
        'The tokenizer has no mask token.',
        'MaskedLM needs a model that was trained with one: name mask_token in tokenizer_config.json.',
      );
    },
    targets: () => [],
    checkTrain() {},
    labelled: 'otherwise',
    collate(rows, split, draw) {
      const inputIds = rows.inputIds.slice();
      const positions: number[] = [];
      const labels: number[] = [];
      for (const [index, row] of rows.indices.entries()) {
        const source =
          draw === undefined
            ? random(purposes.evaluationMask, row)
            : random(draw.seed, purposes.mask, draw.epoch, row);
        for (const { token, id } of hide(split, row, source, masking)) {
          const place = (rows.starts[index] as number) + token;
          positions.push(place);
          labels.push(inputIds[place] as number);
          inputIds[place] = id;
        }
      }
      return { ...rows, inputIds, positions: Int32Array.from(positions), labels: Int32Array.from(labels) };
    },

    width: (labels) => labels,
    labels: () => ({ dtype: 'int32', shape: ['positions'] }),
    loss: crossEntropy,
    logitCount: ({ rows, length }, { vocabulary }) =>
      Math.ceil(rows * length * masking.probability) * vocabulary,
    outputs: (logits, labels) => [sparseSoftmaxCrossEntropy(logits, labels).loss, argMax(logits)],

    recorder(split) {
      const loss = new Float64Array(split.texts);
      const masked = new Int32Array(split.texts);
      const hits = new Int32Array(split.texts);
      const textOf = textsOfRows(split);
      return {
        figures: { loss, masked, hits },
        add({ indices, length, positions = new Int32Array(), labels }, [losses, guesses]) {
          for (const [index, position] of positions.entries()) {
            const text = textOf[indices[Math.floor(position / length)] as number] as number;
            loss[text] = (loss[text] as number) + Number(losses?.[index]);
            masked[text] = (masked[text] as number) + 1;
            if (Number(guesses?.[index]) === labels[index]) hits[text] = (hits[text] as number) + 1;
          }
        },
      };
    },
    compared: ['loss', 'masked', 'hits'],
    scores({ evaluated, split }) {
      const { masked, hits } = totals(
        evaluated.figures,
        Int32Array.from({ length: split.texts }, (_, i) => i),
      );
      const { loss } = evaluated;
      return { rows: split.texts, loss, perplexity: Math.exp(loss), accuracy: hits / Math.max(1, masked) };
    },
    scorer({ evaluated }, metric) {
      return (rows) => {
        const { loss, masked, hits } = totals(evaluated.figures, rows);
        if (metric === 'accuracy') return hits / Math.max(1, masked);
        const mean = loss / Math.max(1, masked);
        return metric === 'perplexity' ? Math.exp(mean) : mean;
      };
    },
    mistakes: {
      caption: 'Texts whose hidden tokens the tuned model guessed worst.',
      severity: 'loss',
    },
    prediction({ evaluated }, row, { text }) {
      const { loss, masked, hits } = totals(evaluated.figures, [row]);
      const line = { loss, masked, hits, text };
      if (hits === masked) return { line };
      const mistake = { label: `${masked} hidden`, predicted: `${hits} right`, severity: loss / masked };
      return { line, mistake };
    },

    exportedConfig: () => ({}),
    card: () => ({ pipelineTag: 'fill-mask', does: 'Guesses masked tokens' }),
  };
}

/** [rows] the text of each row. */
function textsOfRows(split: EncodedSplit): Int32Array {
  const texts = new Int32Array(split.rows);
  for (let text = 0; text < split.texts; text++) texts.fill(text, ...rowsOf(split, text));
  return texts;
}

/** The tokens of a row that the model has to guess, each with the id that stands in its place; special ones never. */
function hide(
  split: EncodedSplit,
  row: number,
  source: Random,
  { probability, wholeWord }: Masking,
): { token: number; id: number }[] {
  const units = unitsOf(split, row, wholeWord);
  const chosen = units.filter(() => chance(source) < probability);
  // A row without a hidden token would teach and measure nothing.
  if (chosen.length === 0 && units.length > 0) chosen.push(units[source.below(units.length)] as number[]);
  const ids = idsOf(split, row);
  return chosen.flat().map((token) => {
    const fate = chance(source);
    if (fate < maskedPart) return { token, id: split.maskTokenId as number };
    if (fate < maskedPart + randomPart) return { token, id: source.below(split.vocabularySize) };
    return { token, id: ids[token] as number };
  });
}

/** Places of the tokens that are chosen together: words or single tokens. */
function unitsOf(split: EncodedSplit, row: number, wholeWord: boolean): number[][] {
  const units: number[][] = [];
  let last = -1;
  for (const [token, word] of wordsOf(split, row).entries()) {
    if (word < 0) continue;
    if (wholeWord && word === last) units.at(-1)?.push(token);
    else units.push([token]);
    last = word;
  }
  return units;
}

/** From 0 to 1, 1 not included. */
const chance = (source: Random) => source.next() / 2 ** 32;

function totals(figures: Evaluation['evaluated']['figures'], rows: ArrayLike<number>) {
  const total = { loss: 0, masked: 0, hits: 0 };
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as number;
    total.loss += figures['loss']?.[row] as number;
    total.masked += figures['masked']?.[row] as number;
    total.hits += figures['hits']?.[row] as number;
  }
  return total;
}
