/** Byte-level BPE and Unigram as transformers has them (test/golden/tokenizers_of_families.py); WordPiece is MiniLM's. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { EncodedTexts } from '../../../trainer-image/data/encoded.ts';
import { loadTokenizer } from '../../../trainer-image/data/tokenizer.ts';

type Encoded = { inputIds: number[][]; tokenTypeIds: number[][] };
type Golden = {
  maxLength: number;
  texts: string[];
  pairs: [string, string][];
  tokenizers: Record<
    string,
    { vocabulary: number } & Record<
      Side,
      { texts: Encoded; pairs: Encoded; words: { inputIds: number[][]; places: number[][] } }
    >
  >;
};
type Side = 'right' | 'left';

const folder = join(import.meta.dirname, '../../golden');
const golden = JSON.parse(readFileSync(join(folder, 'tokenizers.json'), 'utf8')) as Golden;
const scratch = mkdtempSync(join(tmpdir(), 'tokenizers-'));
after(() => rmSync(scratch, { recursive: true }));

/** A copy that cuts texts at this side. */
function placeTokenizer(family: string, side: Side): string {
  const directory = join(scratch, `${family}-${side}`);
  cpSync(join(folder, 'tokenizers', family), directory, { recursive: true });
  const path = join(directory, 'tokenizer_config.json');
  const settings = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...settings, truncation_side: side }));
  return directory;
}

const byText = ({ offsets }: EncodedTexts, values: ArrayLike<number>) =>
  Array.from({ length: offsets.length - 1 }, (_, text) =>
    Array.from(values).slice(offsets[text], offsets[text + 1]),
  );

for (const [family, { vocabulary, ...bySide }] of Object.entries(golden.tokenizers))
  for (const [side, want] of Object.entries(bySide) as [Side, (typeof bySide)[Side]][])
    test(`${family}: texts, pairs and words cut at the ${side} have the tokens of transformers`, async () => {
      const { maxLength, texts, pairs } = golden;
      const directory = placeTokenizer(family, side);
      const fit = { maxLength, vocabularySize: vocabulary, maxPositions: 512 };
      const plain = await loadTokenizer(directory, fit);
      assert.equal(plain.vocabularySize, vocabulary);
      for (const [got, expected] of [
        [await plain.encode(texts), want.texts],
        [await plain.encodePairs(pairs), want.pairs],
      ] as const) {
        assert.deepEqual(byText(got, got.ids), expected.inputIds);
        assert.deepEqual(byText(got, got.typeIds), expected.tokenTypeIds);
      }
      const ofWords = await loadTokenizer(directory, { ...fit, pretokenized: true });
      const got = await ofWords.encodeWords(texts.map((text) => text.split(/\s+/).filter(Boolean)));
      assert.deepEqual(byText(got, got.ids), want.words.inputIds);
      assert.deepEqual(byText(got, got.words), want.words.places);
    });
