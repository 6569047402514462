/**
 * Entry of a process of its own that reads a dataset, makes the data report and goes through an epoch of batches; prints
 * the most memory that was in use, as JSON. Usage: node --expose-gc memory-process.ts MODEL DIRECTORY, with train.jsonl
 * and test.jsonl in it. What counts is what is left after garbage collection: how much garbage the process lets lie
 * differs from machine to machine, so its resident memory would tell little.
 */
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

let peakBytes = 0;
function sample(): void {
  // Buffers that the first collection lets go are counted until the second one.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  peakBytes = Math.max(peakBytes, heapUsed + external);
}
/** Reading is asynchronous, so that this comes between its pieces. */
const sampling = setInterval(sample, 20);

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
sample();
const order = { ...config.training, batchSize: 16, maxLength, epoch: 0 };
const { train, test } = dataset.splits;
let tokens = 0;
let batches = 0;
for (const step of trainSteps(train, order, sequenceClassification.collate))
  for (const batch of step) {
    tokens += tokensIn(batch);
    if (batches++ % 64 === 0) sample();
  }
for (const batch of evaluationBatches(test, order, sequenceClassification.collate)) tokens += tokensIn(batch);
clearInterval(sampling);
const measured: PeakMemory = { peakBytes, rows: splits.train.rows, tokens };
console.log(JSON.stringify(measured));
