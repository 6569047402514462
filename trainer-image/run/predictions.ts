import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { RunConfig } from '../../crds/trainer-contract.ts';
import { readRows } from '../data/rows.ts';
import type { WorstError } from '../report/report.ts';
import type { Evaluation, Task } from '../tasks/task.ts';

const listedErrors = 20;
const excerptLetters = 240;

export type PredictionsInput = {
  dataset: RunConfig['dataset'];
  dataDirectory: string;
  task: Task;
  evaluation: Evaluation;
};

/**
 * Writes predictions.jsonl, one line a row of the split with its text, and picks the worst errors. The texts
 * are read again from the dataset, since training keeps only their tokens.
 */
export async function writePredictions(file: string, input: PredictionsInput): Promise<WorstError[]> {
  const { dataset, dataDirectory, task, evaluation } = input;
  const { split } = evaluation;
  const out = createWriteStream(file);
  let errors: WorstError[] = [];
  const { format, columns } = dataset;
  const refuse = (line: number, reason: string) => {
    throw new Error(`line ${line} of ${split.file} was good before and is not now: ${reason}`);
  };
  const path = join(dataDirectory, split.file);
  const options = { name: split.file, format, columns, readRow: task.readRow, onBadRow: refuse };
  // The texts of a split are in the order of their file.
  let text = 0;
  for await (const { line, ...content } of readRows(path, options)) {
    if (text === split.texts) break;
    if (line !== split.lines.at(text)) continue;
    const prediction = task.prediction(evaluation, text, content);
    text += 1;
    const more = out.write(`${JSON.stringify({ line, ...prediction.line })}\n`);
    if (!more) await once(out, 'drain');
    if (prediction.mistake === undefined) continue;
    errors.push({ line, ...prediction.mistake, excerpt: excerptOf(content.text) });
    if (errors.length >= 4 * listedErrors) errors = worstOf(errors);
  }
  out.end();
  await finished(out);
  return worstOf(errors);
}

function worstOf(errors: WorstError[]): WorstError[] {
  return errors.sort((a, b) => b.severity - a.severity || a.line - b.line).slice(0, listedErrors);
}

function excerptOf(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  if (flat.length <= excerptLetters) return flat;
  return `${flat.slice(0, excerptLetters).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
