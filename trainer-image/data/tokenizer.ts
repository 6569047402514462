import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import { TrainerError } from '../failure.ts';
import { createEncoder, type Encoder, frameOf, specialCount } from './encoding.ts';
import type { Windows } from './windows.ts';

export type TextTokenizer = Encoder & {
  padTokenId: number;
  maskTokenId: number | undefined;
  maxLength: number;
  /** Tokens in the vocabulary, added ones included. */
  vocabularySize: number;
  /** Where texts are encoded whole, to be cut into windows. */
  windows?: Windows;
};

export type TokenizerFit = {
  maxLength: number;
  /** False where texts stay whole, however long. */
  truncation?: boolean;
  /** vocab_size of config.json: ids must be below it. */
  vocabularySize: number;
  /** Longest sequence the model has positions for. */
  maxPositions: number;
  /** pad_token_id of config.json, used when the tokenizer's files name no padding token. */
  padTokenId?: number | undefined;
  /** Where long texts are cut into windows: the tokens that two windows share. */
  stride?: number | undefined;
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
  const frame = await frameOf(tokenizer);
  const special = specialCount(frame);
  if (fit.maxLength <= special) {
    throw new TrainerError(
      'ConfigError',
      `training.maxLength is ${fit.maxLength}, and ${special} of these are special tokens.`,
      'Set a larger training.maxLength.',
    );
  }
  const { maxLength, stride } = fit;
  if (stride !== undefined && stride >= maxLength - special) {
    throw new TrainerError(
      'ConfigError',
      `training.stride is ${stride}, but a window of ${maxLength} tokens holds ${maxLength - special} tokens of the text.`,
      `Set training.stride to less than ${maxLength - special}, or a larger training.maxLength.`,
    );
  }
  const keepEnd = settings.truncation_side === 'left';
  const unknownId = idOf(tokenizer, json.model?.unk_token) ?? idOf(tokenizer, settings.unk_token);
  return {
    padTokenId: padToken(tokenizer, settings, fit),
    maskTokenId: maskToken(tokenizer, settings),
    maxLength,
    vocabularySize: tokenizer.getVocabSize(true),
    ...(stride !== undefined && {
      windows: {
        maxLength,
        stride,
        before: frame.before.ids.length,
        after: frame.after.ids.length,
        fromEnd: keepEnd,
      },
    }),
    ...createEncoder(tokenizer, frame, {
      maxLength: stride === undefined && (fit.truncation ?? true) ? maxLength : Number.POSITIVE_INFINITY,
      keepEnd,
      unknownId,
    }),
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
