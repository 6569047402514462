/**
 * How far the memory that preflight estimates is from what a run takes: `node bench/memory.ts`. Trains a few steps on
 * whole e-mails in the trainer's own process and prints, for each case, the estimate and the kernel's high-water mark.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { miniLmDirectory } from '../test/golden/minilm.ts';
import { pythonPeers } from '../test/golden/python.ts';
import { runConfigOf } from '../test/trainer-image/data/run-config.ts';
import { preflight } from '../trainer-image/preflight.ts';
import { bertBaseDirectory, emails, writeSplits } from './inputs.ts';
import { ourRun, setTask } from './runs.ts';

const miniLm = await miniLmDirectory();
const bertBase = await bertBaseDirectory(await pythonPeers());
const [classifier, maskedLM] = ['SequenceClassification', 'MaskedLM'] as const;
const cases = [
  { name: 'MiniLM', task: classifier, model: miniLm, batchSize: 2, maxLength: 32 },
  { name: 'MiniLM', task: classifier, model: miniLm, batchSize: 16, maxLength: 128 },
  { name: 'MiniLM', task: classifier, model: miniLm, batchSize: 16, maxLength: 256 },
  { name: 'MiniLM', task: classifier, model: miniLm, batchSize: 4, maxLength: 512 },
  { name: 'MiniLM, masked', task: maskedLM, model: miniLm, batchSize: 16, maxLength: 128 },
  { name: 'BERT-base', task: classifier, model: bertBase, batchSize: 2, maxLength: 32 },
  { name: 'BERT-base', task: classifier, model: bertBase, batchSize: 8, maxLength: 128 },
  { name: 'MiniLM, bf16', task: classifier, model: miniLm, batchSize: 16, maxLength: 256, bf16: true },
  { name: 'MiniLM, masked, bf16', task: maskedLM, model: miniLm, batchSize: 16, maxLength: 128, bf16: true },
  { name: 'BERT-base, bf16', task: classifier, model: bertBase, batchSize: 8, maxLength: 128, bf16: true },
];
const directory = await mkdtemp(join(tmpdir(), 'bench-memory-'));
const data = join(directory, 'data');
await writeSplits(data, await emails({ train: 32, test: 16 }));
try {
  for (const [index, { name, task, model, batchSize, maxLength, bf16 = false }] of cases.entries()) {
    const run = join(directory, String(index));
    await mkdir(join(run, 'probe'), { recursive: true });
    const config = runConfigOf({ model, dataset: data, output: join(run, 'probe') }, (run) => {
      Object.assign(run.training, { batchSize, maxLength, bf16 });
      setTask(run, task);
    });
    const estimate = (await preflight(config, join(run, 'preflight'), () => {})).memoryEstimateBytes;
    // Three steps: the third reuses what the first two took.
    const settings = {
      task,
      model,
      data,
      maxLength,
      batchSize,
      bf16,
      epochs: (3 * batchSize) / 32,
      learningRate: 1e-5,
    };
    const { peakRssBytes } = await ourRun({ ...settings, seed: 1, threads: 2 }, run);
    const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
    console.log(
      `${name} ${batchSize} x ${maxLength}: estimate ${gigabytes(estimate)}, measured ${gigabytes(peakRssBytes)} (estimate / measured ${(estimate / peakRssBytes).toFixed(2)})`,
    );
    await rm(run, { recursive: true });
  }
  console.log(`${cpus().length} x ${cpus()[0]?.model}, Node.js ${process.versions.node}`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
