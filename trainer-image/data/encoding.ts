/** Texts, lists of words and pairs of texts as tokens with the special tokens of the model around them, cut to maxLength. */
import type { JsEncoding, Tokenizer } from 'tokenizers';
import { TrainerError } from '../failure.ts';
import type { EncodedTexts } from './encoded.ts';

export type Encoder = {
  /**
   * Encodes texts.
   * @param readsWords whether the result says to which word each token belongs.
   */
  encode(texts: readonly string[], readsWords?: boolean): Promise<EncodedTexts>;
  /** The same for texts that are given as lists of words, as transformers does with `is_split_into_words`. */
  encodeWords(rows: readonly (readonly string[])[]): Promise<EncodedTexts>;
  /** Pairs of texts; of two that are too long together, the longer one is cut first (`longest_first`). */
  encodePairs(pairs: readonly (readonly [string, string])[]): Promise<EncodedTexts>;
};

export type Cut = {
  maxLength: number;
  /** True where texts lose their start and not their end. */
  keepEnd: boolean;
  unknownId: number | undefined;
};

/**
 * The tokens of a text: ids, types (none where all are zero, since asking the library for them costs time), and of each
 * token the place of its word, -1 for special tokens.
 */
type Tokens = { ids: number[]; typeIds: number[]; words: number[] };
/** What the tokenizer puts around a text, and the type of the text's own tokens. */
type Frame = { before: Tokens; after: Tokens; typeId: number };

/** Special tokens around one text. */
export function specialCount({ before, after }: Frame): number {
  return before.ids.length + after.ids.length;
}

/** What the tokenizer puts around any text, learned from a short one. */
export async function frameOf(tokenizer: Tokenizer): Promise<Frame> {
  const encoding = await tokenizer.encode('a');
  const mask = encoding.getSpecialTokensMask();
  const first = mask.includes(0) ? mask.indexOf(0) : mask.length;
  return {
    before: part(encoding, 0, first),
    after: part(encoding, Math.max(first, mask.lastIndexOf(0) + 1), mask.length),
    typeId: encoding.getTypeIds()[first] ?? 0,
  };
}

/** Special tokens of an encoding. */
function part(encoding: JsEncoding, start: number, end: number): Tokens {
  return {
    ids: encoding.getIds().slice(start, end),
    typeIds: encoding.getTypeIds().slice(start, end),
    words: new Array<number>(Math.max(0, end - start)).fill(-1),
  };
}

/** An encoder that cuts texts as `cut` says. Its errors are those of the library, but for pairs that the tokenizer cannot join. */
export function createEncoder(tokenizer: Tokenizer, frame: Frame, cut: Cut): Encoder {
  const flattened = (texts: readonly Tokens[]) =>
    flatten(
      texts.map((text) => truncate(text, frame, cut)),
      texts.map(({ ids }) => ids.length),
      cut.unknownId,
    );
  return {
    async encode(texts, readsWords = false) {
      const encodings = await tokenizer.encodeBatch([...texts]);
      const typed = typesOf(frame).some((type) => type !== 0);
      return flattened(encodings.map((encoding) => tokensOf(encoding, { typed, readsWords })));
    },
    encodeWords: async (rows) => flattened(await tokensOfWords(tokenizer, rows, frame)),
    encodePairs: (pairs) => encodePairs(tokenizer, pairs, cut),
  };
}

/** Types that tokens of one text may have. */
function typesOf({ before, typeId, after }: Frame): number[] {
  return [...before.typeIds, typeId, ...after.typeIds];
}

function tokensOf(
  encoding: JsEncoding,
  { typed, readsWords }: { typed: boolean; readsWords: boolean },
): Tokens {
  const special = readsWords ? encoding.getSpecialTokensMask() : [];
  const words = readsWords ? encoding.getWordIds() : [];
  return {
    ids: encoding.getIds(),
    typeIds: typed ? encoding.getTypeIds() : [],
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

/** Cuts as transformers does: the special tokens stay, the text between them is cut at one end. */
function truncate(text: Tokens, { before, after }: Frame, { maxLength, keepEnd }: Cut): Tokens {
  const length = text.ids.length;
  if (length <= maxLength) return text;
  const room = maxLength - before.ids.length - after.ids.length;
  const end = length - after.ids.length;
  const start = keepEnd ? end - room : before.ids.length;
  const cut = (values: number[]) => [
    ...values.slice(0, before.ids.length),
    ...values.slice(start, start + room),
    ...values.slice(end),
  ];
  return {
    ids: cut(text.ids),
    typeIds: text.typeIds.length > 0 ? cut(text.typeIds) : [],
    words: text.words.length > 0 ? cut(text.words) : [],
  };
}

/**
 * Both texts of a pair are encoded on their own and put between the special tokens of a pair, because a cut needs to
 * know where each of them ends. Their words are not told.
 */
async function encodePairs(
  tokenizer: Tokenizer,
  pairs: readonly (readonly [string, string])[],
  { maxLength, keepEnd, unknownId }: Cut,
): Promise<EncodedTexts> {
  const sample = await tokenizer.encode('a', 'b');
  const sequences = sample.getSequenceIds();
  const [a, b] = [sequences.indexOf(0), sequences.indexOf(1)];
  if (a === -1 || b === -1) {
    throw new TrainerError(
      'ModelError',
      'The tokenizer does not put pairs of texts together.',
      'Leave dataset.columns.text2 out, or use a model whose tokenizer.json has a template for pairs.',
    );
  }
  const [endA, endB] = [sequences.lastIndexOf(0) + 1, sequences.lastIndexOf(1) + 1];
  const frame = [part(sample, 0, a), part(sample, endA, b), part(sample, endB, sequences.length)] as const;
  const types = sample.getTypeIds();
  const special = frame.reduce((sum, { ids }) => sum + ids.length, 0);
  const encodings = await tokenizer.encodeBatch(pairs.flat(), { addSpecialTokens: false });
  const kept = (ids: number[], count: number) =>
    keepEnd ? ids.slice(ids.length - count) : ids.slice(0, count);
  const full: number[] = [];
  const texts = pairs.map((_, pair): Tokens => {
    const [idsA = [], idsB = []] = [encodings[2 * pair]?.getIds(), encodings[2 * pair + 1]?.getIds()];
    full.push(idsA.length + idsB.length + special);
    const [countA, countB] = longestFirst(idsA.length, idsB.length, maxLength, special);
    const [ownA, ownB] = [kept(idsA, countA), kept(idsB, countB)];
    const join = (of: (tokens: Tokens) => number[], first: number[], second: number[]) => [
      ...of(frame[0]),
      ...first,
      ...of(frame[1]),
      ...second,
      ...of(frame[2]),
    ];
    return {
      ids: join(({ ids }) => ids, ownA, ownB),
      typeIds: join(
        ({ typeIds }) => typeIds,
        ownA.map(() => types[a] ?? 0),
        ownB.map(() => types[b] ?? 0),
      ),
      words: [],
    };
  });
  return flatten(texts, full, unknownId);
}

/**
 * Tokens that two texts keep of `maxLength` beside the special ones, as the tokenizers library has it: the longer one is
 * cut down to the room that the shorter one leaves; where both are longer than half of the room, each gets a half, and the
 * longer one, or of equal ones the second, the token that is left of an odd room. Release 0.23.2 of the library, the last one
 * for Node.js, gives that token to others where a text is longer than `maxLength`; transformers has 0.23.3.
 */
export function longestFirst(a: number, b: number, maxLength: number, special: number): [number, number] {
  const room = maxLength - special;
  if (a + b <= room) return [a, b];
  const half = Math.floor(room / 2);
  const short = Math.min(a, b, half);
  return a > b ? [room - short, short] : [short, room - short];
}

/** `full` are the lengths before anything was cut. */
function flatten(
  texts: readonly Tokens[],
  full: readonly number[],
  unknownId: number | undefined,
): EncodedTexts {
  const offsets = new Int32Array(texts.length + 1);
  for (const [index, { ids }] of texts.entries())
    offsets[index + 1] = (offsets[index] as number) + ids.length;
  const tokens = offsets[texts.length] as number;
  const ids = new Int32Array(tokens);
  const typeIds = new Uint8Array(tokens);
  const words = new Int32Array(texts.some((text) => text.words.length > 0) ? tokens : 0);
  const unknown = new Int32Array(texts.length);
  for (const [index, text] of texts.entries()) {
    const start = offsets[index] as number;
    ids.set(text.ids, start);
    typeIds.set(text.typeIds, start);
    if (words.length > 0) words.set(text.words, start);
    if (unknownId !== undefined) unknown[index] = countOf(text.ids, unknownId);
  }
  return { ids, typeIds, offsets, words, fullLengths: Int32Array.from(full), unknown };
}

function countOf(ids: readonly number[], wanted: number): number {
  let count = 0;
  for (const id of ids) if (id === wanted) count += 1;
  return count;
}
