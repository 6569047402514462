/** Models and data of the measurements, made once in the cache from what packages carry. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../test/cluster/cache.ts';
import { type Email, emailSplits } from '../test/demo/emails.ts';
import { miniLmDirectory } from '../test/golden/minilm.ts';
import { measured } from './process.ts';

/** BERT-base with random weights and the tokenizer of MiniLM, which has the same vocabulary. */
export async function bertBaseDirectory(python: string): Promise<string> {
  const directory = join(cacheDirectory(), 'models', 'bert-base-random');
  if (existsSync(directory)) return directory;
  const miniLm = await miniLmDirectory();
  await mkdir(join(cacheDirectory(), 'models'), { recursive: true });
  const work = await mkdtemp(`${directory}-`);
  try {
    await measured({ command: python, args: [join(import.meta.dirname, 'peers', 'bert_base.py'), work] });
    for (const file of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.txt'])
      if (existsSync(join(miniLm, file))) await copyFile(join(miniLm, file), join(work, file));
    await rename(work, directory);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return directory;
}

export type Splits = { train: Email[]; test: Email[] };

/** Whole e-mails, half of them spam. */
export async function emails(counts: { train: number; test: number }): Promise<Splits> {
  const { train, test } = await emailSplits({ ...counts, validation: 0 });
  return { train, test };
}

/** Single sentences of the e-mails with the label of their e-mail: short texts of very different lengths. */
export async function sentences(counts: { train: number; test: number }): Promise<Splits> {
  const source = await emails({ train: counts.train, test: counts.test });
  const cut = (from: readonly Email[], count: number): Email[] =>
    from
      .flatMap(({ text, label }) =>
        text.split(/(?<=[.!?])\s+/).map((sentence) => ({ text: sentence, label })),
      )
      .filter(({ text }) => text.length >= 12)
      .slice(0, count);
  return { train: cut(source.train, counts.train), test: cut(source.test, counts.test) };
}

/** Writes train.jsonl and test.jsonl with the columns text and label into a folder. */
export async function writeSplits(directory: string, splits: Splits): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, rows] of Object.entries(splits)) {
    const lines = rows.map(({ text, label }: Email) => `${JSON.stringify({ text, label })}\n`);
    await writeFile(join(directory, `${name}.jsonl`), lines.join(''));
  }
}
