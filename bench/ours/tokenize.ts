/**
 * Tokenises a text file line by line in batches of 1,000, one batch ahead as the trainer does, and prints the seconds.
 * Usage: tokenize.ts MODEL FILE LENGTH
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadTokenizer } from '../../trainer-image/data/tokenizer.ts';

const [model = '', file = '', length = ''] = process.argv.slice(2);
const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as {
  vocab_size: number;
  max_position_embeddings: number;
};
const tokenizer = await loadTokenizer(model, {
  maxLength: Number(length),
  vocabularySize: config.vocab_size,
  maxPositions: config.max_position_embeddings,
});
const lines = readFileSync(file, 'utf8').split('\n');
const started = performance.now();
let tokens = 0;
let ahead: ReturnType<typeof tokenizer.encode> | undefined;
for (let start = 0; start < lines.length; start += 1000) {
  const next = tokenizer.encode(lines.slice(start, start + 1000));
  if (ahead !== undefined) tokens += (await ahead).ids.length;
  ahead = next;
}
if (ahead !== undefined) tokens += (await ahead).ids.length;
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, tokens }));
