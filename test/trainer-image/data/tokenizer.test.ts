import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Encoding, Tokenizer } from 'tokenizers';
import type { EncodedTexts } from '../../../trainer-image/data/encoded.ts';
import { longestFirst } from '../../../trainer-image/data/encoding.ts';
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

/** The ids and types of `want`, and the lengths before truncation, those of `full`. */
function assertEncoded(got: EncodedTexts, want: readonly Encoding[], full: readonly Encoding[]): void {
  assert.deepEqual(
    Array.from(got.ids),
    want.flatMap((encoding) => encoding.getIds()),
  );
  assert.deepEqual(
    Array.from(got.typeIds),
    want.flatMap((encoding) => encoding.getTypeIds()),
  );
  assert.deepEqual(
    Array.from(got.fullLengths),
    full.map((encoding) => encoding.getLength()),
  );
}

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
    assertEncoded(got, want, full);
    assert.ok(want.some((encoding, index) => encoding.getLength() < (got.fullLengths[index] ?? 0)));
  });

for (const side of ['right', 'left'] as const)
  test(`pairs and their truncation at the ${side} are those of the tokenizers library`, async () => {
    await write('tokenizer_config.json', { pad_token: '[PAD]', truncation_side: side });
    const source = random(2);
    // Letters are a token each, and no text is longer than maxLength: there this release of the library is as the next.
    const words = () =>
      Array.from({ length: source.below(fit.maxLength + 1) }, () => vocabulary[5 + source.below(36)]).join(
        ' ',
      );
    const pairs = Array.from({ length: 200 }, () => [words(), words()] as const);
    const reference = Tokenizer.fromString(JSON.stringify(tinyTokenizer()));
    reference.disablePadding();
    reference.disableTruncation();
    const full = await Promise.all(pairs.map(([a, b]) => reference.encode(a, b)));
    reference.setTruncation(fit.maxLength, { direction: side });
    const want = await Promise.all(pairs.map(([a, b]) => reference.encode(a, b)));
    assert.ok(full.some((encoding) => encoding.getLength() > fit.maxLength + 6));
    const got = await (await loadTokenizer(folder, fit)).encodePairs(pairs);
    assertEncoded(got, want, full);
  });

test('a tokenizer that drops the second text of a pair is refused', async () => {
  const json = tinyTokenizer() as { post_processor: { single: unknown; pair: unknown } };
  json.post_processor.pair = json.post_processor.single;
  await write('tokenizer.json', json);
  const tokenizer = await loadTokenizer(folder, fit);
  await assert.rejects(tokenizer.encodePairs([['free', 'now']]), {
    category: 'ModelError',
    message: /does not put pairs of texts together/,
  });
});

test('of two long texts each keeps a half, of a long and a short one the long one is cut', () => {
  const kept = (a: number, b: number) => longestFirst(a, b, 12, 3);
  assert.deepEqual(kept(3, 4), [3, 4]);
  assert.deepEqual(kept(30, 4), [5, 4]);
  assert.deepEqual(kept(4, 30), [4, 5]);
  assert.deepEqual(kept(30, 2), [7, 2]);
  assert.deepEqual(kept(11, 10), [5, 4]);
  assert.deepEqual(kept(40, 30), [5, 4]);
  assert.deepEqual(kept(30, 40), [4, 5]);
  assert.deepEqual(kept(30, 30), [4, 5]);
});

test('a byte-level tokenizer puts a space before each word of a list, as before a word in a text', async () => {
  const json = tinyTokenizer() as Record<string, unknown>;
  json['pre_tokenizer'] = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  json['normalizer'] = null;
  json['model'] = {
    type: 'WordLevel',
    vocab: Object.fromEntries(
      [...vocabulary.slice(0, 5), '\u0120zebra', 'zebra', '\u0120yak', 'yak', ...vocabulary.slice(9)].map(
        (token, id) => [token, id],
      ),
    ),
    unk_token: '[UNK]',
  };
  await write('tokenizer.json', json);
  const tokenizer = await loadTokenizer(folder, { ...fit, pretokenized: true });
  const words = await tokenizer.encodeWords([['zebra', 'yak']]);
  assert.deepEqual(Array.from(words.ids), [2, 5, 7, 3]);
  assert.deepEqual(Array.from(words.words), [-1, 0, 1, -1]);
  const plain = await loadTokenizer(folder, fit);
  assert.deepEqual(Array.from((await plain.encode(['zebra yak'])).ids), [2, 6, 7, 3]);
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
