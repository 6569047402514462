/**
 * Entry of a process of its own that reads a dataset, makes the data report and goes through an epoch of batches; prints
 * its peak resident memory as JSON. Usage: memory-process.ts MODEL DIRECTORY, with train.jsonl and test.jsonl in it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tokensIn } from '../../../trainer-image/data/batch.ts';
import { evaluationBatches, trainSteps } from '../../../trainer-image/data/batches.ts';
import { loadDataset } from '../../../trainer-image/data/dataset.ts';
import { dataReport } from '../../../trainer-image/data/report.ts';
import { loadTokenizer } from '../../../trainer-image/data/tokenizer.ts';
import { sequenceClassification } from '../../../trainer-image/tasks/sequence-classification.ts';
import { runConfigOf } from './run-config.ts';
import { tinyConfig } from './tiny-model.ts';

export type PeakMemory = { peakBytes: number; rows: number; tokens: number };

const [model = '', directory = ''] = process.argv.slice(2);
const maxLength = 512;
const sizes = { vocabularySize: tinyConfig.vocab_size, maxPositions: maxLength };
const tokenizer = await loadTokenizer(model, { maxLength, ...sizes });
const config = runConfigOf({ model, dataset: directory, output: directory });
const dataset = await loadDataset(config, sequenceClassification, {
  directory,
  encoded: join(directory, 'encoded'),
  tokenizer,
});
const { splits } = dataReport(dataset);
const order = { ...config.training, batchSize: 16, maxLength, epoch: 0 };
const { train, test } = dataset.splits;
let tokens = 0;
for (const step of trainSteps(train, order, sequenceClassification.collate))
  for (const batch of step) tokens += tokensIn(batch);
for (const batch of evaluationBatches(test, order, sequenceClassification.collate)) tokens += tokensIn(batch);
const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
const measured: PeakMemory = { peakBytes: Number(peak) * 1024, rows: splits.train.rows, tokens };
console.log(JSON.stringify(measured));
