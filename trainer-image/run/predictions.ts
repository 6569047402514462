import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import type { EncodedSplit } from '../data/encoded.ts';
import { readRows } from '../data/rows.ts';
import type { Evaluated } from '../evaluate.ts';
import type { ConfidentError } from '../report/report.ts';
import { probabilities } from '../tasks/sequence-classification.ts';

const listedErrors = 20;
const excerptLetters = 240;

export type PredictionsInput = {
  dataset: RunConfig['dataset'];
  dataDirectory: string;
  split: EncodedSplit;
  labels: readonly string[];
  evaluated: Evaluated;
};

/**
 * Writes predictions.jsonl, one line a row of the split with its text, and picks the most confident errors. The texts
 * are read again from the dataset, since training keeps only their tokens.
 */
export async function writePredictions(file: string, input: PredictionsInput): Promise<ConfidentError[]> {
  const { dataset, dataDirectory, split } = input;
  const rowOfLine = new Map<number, number>();
  for (const [row, line] of split.lines.entries()) rowOfLine.set(line, row);
  const out = createWriteStream(file);
  let errors: ConfidentError[] = [];
  const { format, columns } = dataset;
  const refuse = (line: number, reason: string) => {
    throw new Error(`line ${line} of ${split.file} was good before and is not now: ${reason}`);
  };
  const path = join(dataDirectory, split.file);
  for await (const { line, text } of readRows(path, {
    name: split.file,
    format,
    columns,
    onBadRow: refuse,
  })) {
    const row = rowOfLine.get(line);
    if (row === undefined) continue;
    const prediction = predictionOf(input, row);
    const more = out.write(`${JSON.stringify({ line, ...prediction, text })}\n`);
    if (!more) await once(out, 'drain');
    if (prediction.label === prediction.predicted) continue;
    const { label, predicted, probability } = prediction;
    errors.push({ line, label, predicted, probability, excerpt: excerptOf(text) });
    if (errors.length >= 4 * listedErrors) errors = mostConfident(errors);
  }
  out.end();
  await finished(out);
  return mostConfident(errors);
}

function predictionOf({ split, labels, evaluated }: PredictionsInput, row: number) {
  const classes = labels.length;
  const logits = evaluated.logits.subarray(row * classes, (row + 1) * classes);
  const predicted = evaluated.predicted[row]!;
  return {
    label: labels[split.labels[row]!]!,
    predicted: labels[predicted]!,
    probability: probabilities(logits)[predicted]!,
    logits: Array.from(logits),
  };
}

function mostConfident(errors: ConfidentError[]): ConfidentError[] {
  return errors.sort((a, b) => b.probability - a.probability || a.line - b.line).slice(0, listedErrors);
}

function excerptOf(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  if (flat.length <= excerptLetters) return flat;
  return `${flat.slice(0, excerptLetters).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
