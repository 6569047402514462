/**
 * What the data report costs beside tokenisation: `node bench/data-report.ts [ROWS]` (20,000). Reads whole e-mails,
 * repeated with a number of their own up to the number of rows, at maxLength 256 with the tokenizer of MiniLM, and
 * prints medians of five for half of the rows and for all of them, which shows how the cost grows.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { miniLmDirectory } from '../test/golden/minilm.ts';
import { runConfigOf } from '../test/trainer-image/data/run-config.ts';
import { loadDataset } from '../trainer-image/data/dataset.ts';
import { dataReport } from '../trainer-image/data/report.ts';
import { loadTokenizer } from '../trainer-image/data/tokenizer.ts';
import { sequenceClassification } from '../trainer-image/tasks/sequence-classification.ts';
import { median } from './averages.ts';
import { emails } from './inputs.ts';

const rows = Number(process.argv[2] ?? 20_000);
const model = await miniLmDirectory();
const tokenizer = await loadTokenizer(model, { maxLength: 256, vocabularySize: 30_522, maxPositions: 512 });
const { train } = await emails({ train: 1000, test: 10 });
const directory = await mkdtemp(join(tmpdir(), 'bench-data-'));
const line = (row: number) => {
  const { text, label } = train[row % train.length] as (typeof train)[number];
  return JSON.stringify({ text: `${row} ${text}`, label });
};
const seconds = async (work: () => unknown) => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
};
try {
  for (const count of [rows / 2, rows]) {
    const write = (name: string, from: number, to: number) =>
      writeFile(
        join(directory, `${name}.jsonl`),
        Array.from({ length: to - from }, (_, row) => line(from + row)).join('\n'),
      );
    await write('train', 0, count);
    await write('test', count, count * 1.1);
    const config = runConfigOf({ model, dataset: directory, output: directory });
    const load = () =>
      loadDataset(config, sequenceClassification, {
        directory,
        encoded: join(directory, 'encoded'),
        tokenizer,
      });
    const dataset = await load();
    const loading: number[] = [];
    const reporting: number[] = [];
    for (let round = 0; round < 5; round++) {
      loading.push(await seconds(load));
      reporting.push(await seconds(() => dataReport(dataset)));
    }
    const [load_, report] = [median(loading), median(reporting)];
    console.log(
      `${count} train rows: reading and tokenisation ${load_.toFixed(2)} s, data report ${report.toFixed(3)} s (${((100 * report) / load_).toFixed(1)} %); ${((1e6 * report) / (1.1 * count)).toFixed(0)} us a row`,
    );
  }
  console.log(`${cpus().length} x ${cpus()[0]?.model}, Node.js ${process.versions.node}`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
