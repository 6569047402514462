/** Memory stays where it is when the rows are ten times as many: tokens lie on disk. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { PeakMemory } from './memory-process.ts';
import { tinyTokenizer, vocabulary, writeTinyModel } from './tiny-model.ts';

const run = promisify(execFile);
const wordsOfRow = 300;
const rows = 1500;
/** A row costs some tens of bytes, under 1 MB for 13,500 more. Their tokens, 9 bytes each, would be 36 MB. */
const allowance = 8e6;

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-memory-'));
  await writeTinyModel(folder);
  // Whole words, which are quick to find: what is measured is not the tokenizer.
  const model = { type: 'WordLevel', vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])) };
  await writeFile(
    join(folder, 'tokenizer.json'),
    JSON.stringify({
      ...tinyTokenizer(),
      normalizer: null,
      pre_tokenizer: { type: 'WhitespaceSplit' },
      model: { ...model, unk_token: '[UNK]' },
    }),
  );
});
after(() => rm(folder, { recursive: true }));

async function measure(count: number): Promise<PeakMemory> {
  const directory = join(folder, String(count));
  await mkdir(directory);
  const line = (row: number) => {
    const words = Array.from({ length: wordsOfRow }, (_, word) => `w${row * wordsOfRow + word}`);
    return `${JSON.stringify({ text: words.join(' '), label: row % 2 })}\n`;
  };
  const out = createWriteStream(join(directory, 'train.jsonl'));
  for (let row = 0; row < count; row++) if (!out.write(line(row))) await once(out, 'drain');
  out.end();
  await once(out, 'finish');
  await writeFile(join(directory, 'test.jsonl'), line(count) + line(count + 1));
  const program = [join(import.meta.dirname, 'memory-process.ts'), folder, directory];
  const { stdout } = await run(process.execPath, ['--expose-gc', ...program]);
  return JSON.parse(stdout) as PeakMemory;
}

test('ten times the rows take no more memory', async () => {
  const one = await measure(rows);
  const ten = await measure(10 * rows);
  assert.equal(ten.rows, 10 * rows);
  assert.equal(ten.tokens, (10 * rows + 2) * (wordsOfRow + 2));
  const growth = ten.peakBytes - one.peakBytes;
  assert.ok(
    growth < allowance,
    `${one.peakBytes} bytes with ${rows} rows, ${ten.peakBytes} with ten times as many`,
  );
});
