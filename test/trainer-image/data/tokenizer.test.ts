import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Tokenizer } from 'tokenizers';
import { random } from '../../../trainer-image/data/random.ts';
import { loadTokenizer } from '../../../trainer-image/data/tokenizer.ts';
import { tinyConfig, tinyTokenizer, vocabulary, writeTinyModel } from './tiny-model.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'finetune-tokenizer-'));
  await writeTinyModel(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const fit = { maxLength: 12, vocabularySize: tinyConfig.vocab_size, maxPositions: 64 };
const write = (name: string, value: unknown) => writeFile(join(folder, name), JSON.stringify(value));

test('texts get their special tokens, no padding, and unknown tokens are counted', async () => {
  const tokenizer = await loadTokenizer(folder, fit);
  const id = (token: string) => vocabulary.indexOf(token);
  const encoded = await tokenizer.encode(['Free money !', 'at 漢 noon', '']);
  assert.deepEqual(
    encoded.ids,
    Int32Array.from(
      ['[CLS]', 'free', 'money', '!', '[SEP]', '[CLS]', 'at', '[UNK]', 'noon', '[SEP]', '[CLS]', '[SEP]'].map(
        id,
      ),
    ),
  );
  assert.deepEqual(encoded.offsets, Int32Array.from([0, 5, 10, 12]));
  assert.deepEqual(encoded.unknown, Int32Array.from([0, 1, 0]));
  assert.deepEqual(encoded.typeIds, new Uint8Array(12));
  assert.equal(tokenizer.padTokenId, 0);
});

for (const side of ['right', 'left'] as const)
  test(`truncation at the ${side} is that of the tokenizers library`, async () => {
    await write('tokenizer_config.json', { pad_token: '[PAD]', truncation_side: side });
    const source = random(1);
    const texts = Array.from({ length: 300 }, () =>
      Array.from(
        { length: source.below(30) },
        () => vocabulary[5 + source.below(vocabulary.length - 5)],
      ).join(' '),
    );
    const reference = Tokenizer.fromString(JSON.stringify(tinyTokenizer()));
    reference.disablePadding();
    reference.disableTruncation();
    const full = await reference.encodeBatch(texts);
    reference.setTruncation(fit.maxLength, { direction: side });
    const want = await reference.encodeBatch(texts);
    const got = await (await loadTokenizer(folder, fit)).encode(texts);
    assert.deepEqual(
      Array.from(got.ids),
      want.flatMap((encoding) => encoding.getIds()),
    );
    assert.deepEqual(
      Array.from(got.fullLengths),
      full.map((encoding) => encoding.getLength()),
    );
    assert.ok(want.some((encoding, index) => encoding.getLength() < (got.fullLengths[index] ?? 0)));
  });

test('maxLength above the positions of the model names both numbers', () =>
  assert.rejects(loadTokenizer(folder, { ...fit, maxLength: 65 }), {
    category: 'ConfigError',
    message: 'training.maxLength is 65, but the model has only 64 positions.',
  }));

test('a tokenizer with ids above the vocabulary does not match', () =>
  assert.rejects(loadTokenizer(folder, { ...fit, vocabularySize: vocabulary.length - 1 }), {
    category: 'ModelError',
    message:
      /does not match the vocabulary of the model: tokenizer.json has 88 tokens with ids up to 87, .* vocab_size 87/,
  }));

test('a tokenizer with far fewer ids does not match', () =>
  assert.rejects(loadTokenizer(folder, { ...fit, vocabularySize: 30_522 }), { category: 'ModelError' }));

test('no tokenizer.json: the hint says how to make one', async () => {
  await rm(join(folder, 'tokenizer.json'));
  await assert.rejects(loadTokenizer(folder, fit), {
    category: 'ModelError',
    message: 'The model has no tokenizer.json.',
    hint: /AutoTokenizer/,
  });
});

test('a broken tokenizer.json is ModelError', async () => {
  for (const text of ['', '{', '{}', '[]', '{"version":"1.0","model":{"type":"Nope"}}']) {
    await writeFile(join(folder, 'tokenizer.json'), text);
    await assert.rejects(loadTokenizer(folder, fit), { category: 'ModelError' }, text);
  }
});

test('the padding token comes from the tokenizer, else from the model, else it is missed', async () => {
  await write('tokenizer_config.json', {});
  await write('special_tokens_map.json', { pad_token: { content: '[MASK]' } });
  assert.equal((await loadTokenizer(folder, fit)).padTokenId, 4);
  await write('special_tokens_map.json', {});
  assert.equal((await loadTokenizer(folder, { ...fit, padTokenId: 3 })).padTokenId, 3);
  await assert.rejects(loadTokenizer(folder, fit), { category: 'ModelError', message: /padding token/ });
});
