/** A small but complete BERT checkpoint on disk, for tests that need real files and not a good model. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const words = ['free', 'money', 'now', 'meeting', 'at', 'noon', 'cheap', 'lunch', '.', ',', '!'];
export const vocabulary = [...special, ...letters, ...letters.map((letter) => `##${letter}`), ...words];

export const tinyConfig = {
  architectures: ['BertModel'],
  model_type: 'bert',
  vocab_size: vocabulary.length,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 64,
  type_vocab_size: 2,
  pad_token_id: 0,
};

/** tokenizer.json as BERT's, with padding and truncation left switched on as many published files have them. */
export function tinyTokenizer(tokens: readonly string[] = vocabulary): Record<string, unknown> {
  const id = (token: string) => tokens.indexOf(token);
  const added = special.map((content) => ({
    id: id(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const piece = (name: string, type = 0) => ({ SpecialToken: { id: name, type_id: type } });
  const text = (id: 'A' | 'B', type: number) => ({ Sequence: { id, type_id: type } });
  return {
    version: '1.0',
    truncation: { direction: 'Right', max_length: 16, strategy: 'LongestFirst', stride: 0 },
    padding: {
      strategy: { Fixed: 16 },
      direction: 'Right',
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: '[PAD]',
    },
    added_tokens: added,
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [piece('[CLS]'), text('A', 0), piece('[SEP]')],
      pair: [piece('[CLS]'), text('A', 0), piece('[SEP]'), text('B', 1), piece('[SEP]', 1)],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map((token) => [token, { id: token, ids: [id(token)], tokens: [token] }]),
      ),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, index) => [token, index])),
    },
  };
}

/** A safetensors file with float32 tensors of the given shapes. */
export function safetensors(shapes: Record<string, number[]>): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = shape.reduce((product, size) => product * size, 4);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const data = new Float32Array(offset / 4).map((_, index) => Math.sin(index) / 50);
  return Buffer.concat([length, json, Buffer.from(data.buffer)]);
}

/** Names and shapes of the weights that `tinyConfig` describes, as BertModel saves them. */
export function tinyShapes(): Record<string, number[]> {
  const {
    hidden_size: h,
    intermediate_size: i,
    vocab_size,
    max_position_embeddings,
    type_vocab_size,
  } = tinyConfig;
  const norm = (name: string) => ({ [`${name}.weight`]: [h], [`${name}.bias`]: [h] });
  const dense = (name: string, out: number, into: number) => ({
    [`${name}.weight`]: [out, into],
    [`${name}.bias`]: [out],
  });
  const shapes: Record<string, number[]> = {
    'embeddings.word_embeddings.weight': [vocab_size, h],
    'embeddings.position_embeddings.weight': [max_position_embeddings, h],
    'embeddings.token_type_embeddings.weight': [type_vocab_size, h],
    ...norm('embeddings.LayerNorm'),
    ...dense('pooler.dense', h, h),
  };
  for (let layer = 0; layer < tinyConfig.num_hidden_layers; layer++) {
    const name = `encoder.layer.${layer}`;
    for (const part of ['query', 'key', 'value'])
      Object.assign(shapes, dense(`${name}.attention.self.${part}`, h, h));
    Object.assign(
      shapes,
      dense(`${name}.attention.output.dense`, h, h),
      norm(`${name}.attention.output.LayerNorm`),
    );
    Object.assign(shapes, dense(`${name}.intermediate.dense`, i, h));
    Object.assign(shapes, dense(`${name}.output.dense`, h, i), norm(`${name}.output.LayerNorm`));
  }
  return shapes;
}

/** Writes config.json, tokenizer files and model.safetensors. */
export async function writeTinyModel(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const json = (name: string, value: unknown) => writeFile(join(directory, name), JSON.stringify(value));
  await json('config.json', tinyConfig);
  await json('tokenizer.json', tinyTokenizer());
  await json('tokenizer_config.json', { tokenizer_class: 'BertTokenizer', pad_token: '[PAD]' });
  await json('special_tokens_map.json', { pad_token: { content: '[PAD]' }, unk_token: '[UNK]' });
  await writeFile(join(directory, 'model.safetensors'), safetensors(tinyShapes()));
}
