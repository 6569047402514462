import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JsEncoding, Tokenizer } from 'tokenizers';
import { TrainerError } from '../failure.ts';
import type { EncodedTexts } from './encoded.ts';

export type TextTokenizer = {
  padTokenId: number;
  maskTokenId: number | undefined;
  maxLength: number;
  /** Tokens in the vocabulary, added ones included. */
  vocabularySize: number;
  /**
   * Encodes texts with special tokens, truncated to maxLength.
   * @param readsWords whether the result says to which word each token belongs.
   */
  encode(texts: readonly string[], readsWords?: boolean): Promise<EncodedTexts>;
  /** The same for texts that are given as lists of words, as transformers does with `is_split_into_words`. */
  encodeWords(rows: readonly (readonly string[])[]): Promise<EncodedTexts>;
};

export type TokenizerFit = {
  maxLength: number;
  /** vocab_size of config.json: ids must be below it. */
  vocabularySize: number;
  /** Longest sequence the model has positions for. */
  maxPositions: number;
  /** pad_token_id of config.json, used when the tokenizer's files name no padding token. */
  padTokenId?: number | undefined;
  /** True where it will get lists of words: byte-level tokenizers then put a space before each of them. */
  pretokenized?: boolean;
};

/**
 * Models round the vocabulary up and reserve ids, so a tokenizer may be a little smaller than the model; one with less
 * than half of the ids belongs to another model.
 */
const smallestShareOfVocabulary = 0.5;

/**
 * Loads tokenizer.json and checks that it fits the model.
 * @throws TrainerError ModelError when it is missing, broken or of another model; ConfigError when maxLength does not fit.
 */
export async function loadTokenizer(directory: string, fit: TokenizerFit): Promise<TextTokenizer> {
  if (fit.maxLength > fit.maxPositions) {
    throw new TrainerError(
      'ConfigError',
      `training.maxLength is ${fit.maxLength}, but the model has only ${fit.maxPositions} positions.`,
      `Set training.maxLength to at most ${fit.maxPositions}.`,
    );
  }
  const { tokenizer, json } = await loadFile(directory, fit.pretokenized ?? false);
  // The file may carry the padding and truncation of whoever saved it.
  tokenizer.disablePadding();
  tokenizer.disableTruncation();
  checkVocabulary(tokenizer, fit.vocabularySize);
  const settings = await readSettings(directory);
  const frame = await specialTokens(tokenizer);
  const special = frame.before.ids.length + frame.after.ids.length;
  if (fit.maxLength <= special) {
    throw new TrainerError(
      'ConfigError',
      `training.maxLength is ${fit.maxLength}, and ${special} of these are special tokens.`,
      'Set a larger training.maxLength.',
    );
  }
  const unknownId = idOf(tokenizer, json.model?.unk_token) ?? idOf(tokenizer, settings.unk_token);
  const cut: Cut = {
    before: frame.before.ids.length,
    after: frame.after.ids.length,
    maxLength: fit.maxLength,
    keepEnd: settings.truncation_side === 'left',
    unknownId,
  };
  return {
    padTokenId: padToken(tokenizer, settings, fit),
    maskTokenId: maskToken(tokenizer, settings),
    maxLength: fit.maxLength,
    vocabularySize: tokenizer.getVocabSize(true),
    async encode(texts, readsWords = false) {
      const encodings = await tokenizer.encodeBatch([...texts]);
      return flatten(
        encodings.map((encoding) => tokensOf(encoding, readsWords)),
        cut,
      );
    },
    encodeWords: async (rows) => flatten(await tokensOfWords(tokenizer, rows, frame), cut),
  };
}

type PreTokenizerJson = { type?: unknown; add_prefix_space?: unknown; pretokenizers?: PreTokenizerJson[] };
type TokenizerJson = { model?: { unk_token?: unknown }; pre_tokenizer?: PreTokenizerJson | null };

async function loadFile(
  directory: string,
  pretokenized: boolean,
): Promise<{ tokenizer: Tokenizer; json: TokenizerJson }> {
  let text: string;
  try {
    text = await readFile(join(directory, 'tokenizer.json'), 'utf8');
  } catch (error) {
    throw new TrainerError(
      'ModelError',
      'The model has no tokenizer.json.',
      'Save it with AutoTokenizer.from_pretrained(model, use_fast=True).save_pretrained(folder); that converts vocab.txt and the like.',
      { cause: error },
    );
  }
  try {
    const json = JSON.parse(text) as TokenizerJson;
    if (pretokenized) addPrefixSpace(json.pre_tokenizer);
    return { json, tokenizer: Tokenizer.fromString(pretokenized ? JSON.stringify(json) : text) };
  } catch (error) {
    throw new TrainerError(
      'ModelError',
      `tokenizer.json cannot be read: ${String((error as Error).message).slice(0, 200)}.`,
      'Save the tokenizer again with a current version of Hugging Face tokenizers.',
      { cause: error },
    );
  }
}

/** As transformers asks for with `add_prefix_space` where a byte-level tokenizer gets words: "Paris" is " Paris". */
function addPrefixSpace(preTokenizer: PreTokenizerJson | null | undefined): void {
  if (preTokenizer?.type === 'ByteLevel') preTokenizer.add_prefix_space = true;
  for (const inner of preTokenizer?.pretokenizers ?? []) addPrefixSpace(inner);
}

function checkVocabulary(tokenizer: Tokenizer, vocabularySize: number): void {
  const ids = Object.values(tokenizer.getVocab(true));
  const largest = ids.reduce((max, id) => Math.max(max, id), -1);
  if (largest < vocabularySize && ids.length >= vocabularySize * smallestShareOfVocabulary) return;
  throw new TrainerError(
    'ModelError',
    `The tokenizer does not match the vocabulary of the model: tokenizer.json has ${ids.length} tokens with ids up to ${largest}, config.json has vocab_size ${vocabularySize}.`,
    'Use the tokenizer.json that was published with the weights.',
  );
}

/** The settings beside tokenizer.json that matter here; the files are optional. */
type Settings = {
  pad_token?: unknown;
  unk_token?: unknown;
  mask_token?: unknown;
  truncation_side?: unknown;
};

async function readSettings(directory: string): Promise<Settings> {
  const settings: Settings = {};
  for (const file of ['special_tokens_map.json', 'tokenizer_config.json']) {
    let text: string;
    try {
      text = await readFile(join(directory, file), 'utf8');
    } catch {
      continue;
    }
    try {
      Object.assign(settings, JSON.parse(text));
    } catch (error) {
      throw new TrainerError('ModelError', `${file} is not valid JSON.`, 'Save the tokenizer again.', {
        cause: error,
      });
    }
  }
  return settings;
}

/** The tokens of a text: ids, types, and of each token the place of its word, -1 for special tokens. */
type Tokens = { ids: number[]; typeIds: number[]; words: number[] };
/** What the tokenizer puts around a text, and the type of the text's own tokens. */
type Frame = { before: Tokens; after: Tokens; typeId: number };

async function specialTokens(tokenizer: Tokenizer): Promise<Frame> {
  const encoding = await tokenizer.encode('a');
  const mask = encoding.getSpecialTokensMask();
  const first = mask.includes(0) ? mask.indexOf(0) : mask.length;
  const part = (start: number, end: number): Tokens => ({
    ids: encoding.getIds().slice(start, end),
    typeIds: encoding.getTypeIds().slice(start, end),
    words: new Array<number>(Math.max(0, end - start)).fill(-1),
  });
  return {
    before: part(0, first),
    after: part(Math.max(first, mask.lastIndexOf(0) + 1), mask.length),
    typeId: encoding.getTypeIds()[first] ?? 0,
  };
}

function tokensOf(encoding: JsEncoding, readsWords: boolean): Tokens {
  const special = readsWords ? encoding.getSpecialTokensMask() : [];
  const words = readsWords ? encoding.getWordIds() : [];
  return {
    ids: encoding.getIds(),
    typeIds: encoding.getTypeIds(),
    words: words.map((word, index) => (special[index] === 1 ? -1 : (word ?? -1))),
  };
}

/**
 * Tokens of lists of words. The library encodes each word of such a list on its own, with no regard to its neighbours,
 * but takes no lists through its interface for Node.js: so each different word is encoded once and put in its places.
 */
async function tokensOfWords(
  tokenizer: Tokenizer,
  rows: readonly (readonly string[])[],
  { before, after, typeId }: Frame,
): Promise<Tokens[]> {
  const distinct = [...new Set(rows.flat())];
  const encodings = await tokenizer.encodeBatch(distinct, { addSpecialTokens: false });
  const idsOf = new Map(distinct.map((word, index) => [word, encodings[index]?.getIds() ?? []]));
  return rows.map((row) => {
    const own = row.map((word) => idsOf.get(word) as number[]);
    const ids = own.flat();
    return {
      ids: [...before.ids, ...ids, ...after.ids],
      typeIds: [...before.typeIds, ...ids.map(() => typeId), ...after.typeIds],
      words: [...before.words, ...own.flatMap((tokens, word) => tokens.map(() => word)), ...after.words],
    };
  });
}

function padToken(tokenizer: Tokenizer, settings: Settings, fit: TokenizerFit): number {
  const id = idOf(tokenizer, settings.pad_token) ?? fit.padTokenId;
  if (id !== undefined && id < fit.vocabularySize) return id;
  throw new TrainerError(
    'ModelError',
    'The tokenizer has no padding token that the model knows.',
    'Name pad_token in tokenizer_config.json or pad_token_id in config.json.',
  );
}

/** What the settings name, else what transformers takes where they name nothing: it depends on the class there. */
function maskToken(tokenizer: Tokenizer, { mask_token: named }: Settings): number | undefined {
  return idOf(tokenizer, named) ?? idOf(tokenizer, '[MASK]') ?? idOf(tokenizer, '<mask>');
}

/** A token is written as a string or as an object with `content`. */
function idOf(tokenizer: Tokenizer, token: unknown): number | undefined {
  const content = typeof token === 'object' && token !== null && 'content' in token ? token.content : token;
  return typeof content === 'string' ? (tokenizer.tokenToId(content) ?? undefined) : undefined;
}

type Cut = {
  /** Special tokens before and after the text, which stay. */
  before: number;
  after: number;
  maxLength: number;
  keepEnd: boolean;
  unknownId: number | undefined;
};

/** Truncates as transformers does: the special tokens stay, the text between them is cut at one end. */
function flatten(texts: readonly Tokens[], cut: Cut): EncodedTexts {
  const fullLengths = Int32Array.from(texts, ({ ids }) => ids.length);
  const offsets = new Int32Array(texts.length + 1);
  for (const [index, length] of fullLengths.entries())
    offsets[index + 1] = (offsets[index] as number) + Math.min(length, cut.maxLength);
  const tokens = offsets[texts.length] as number;
  const ids = new Int32Array(tokens);
  const typeIds = new Uint8Array(tokens);
  const words = new Int32Array(texts.some((text) => text.words.length > 0) ? tokens : 0);
  const unknown = new Int32Array(texts.length);
  for (const [index, text] of texts.entries()) {
    const start = offsets[index] as number;
    const kept = truncate(text.ids, cut);
    ids.set(kept, start);
    typeIds.set(truncate(text.typeIds, cut), start);
    if (words.length > 0) words.set(truncate(text.words, cut), start);
    if (cut.unknownId !== undefined)
      unknown[index] = kept.reduce((count, id) => count + (id === cut.unknownId ? 1 : 0), 0);
  }
  return { ids, typeIds, offsets, words, fullLengths, unknown };
}

function truncate(values: number[], { before, after, maxLength, keepEnd }: Cut): number[] {
  if (values.length <= maxLength) return values;
  const room = maxLength - before - after;
  const end = values.length - after;
  const text = keepEnd ? values.slice(end - room, end) : values.slice(before, before + room);
  return [...values.slice(0, before), ...text, ...values.slice(end)];
}
