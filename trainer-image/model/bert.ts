/** BERT with a classification head, as BertForSequenceClassification of Hugging Face Transformers computes it. */
import { z } from 'zod';
import { concat, gather, reshape, slice, transpose, unstack } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { attention, type Dropout, dropout, gelu, layerNorm, linear } from '../graph/neural.ts';
import { add, cast, mul, relu, sub, tanh } from '../graph/ops.ts';
import type { RandomSource } from '../graph/random.ts';
import { checkpointed } from './gradient-checkpointing.ts';
import type { EncoderInputs, ParameterSpec } from './parameters.ts';

const size = z.int().min(1).max(1_000_000);
const probability = z.number().min(0).lt(1);

/** The fields that change what is computed, with the defaults of transformers' BertConfig. */
export const bertConfig = z.looseObject({
  model_type: z.literal('bert'),
  vocab_size: size.default(30_522),
  hidden_size: size.default(768),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(12),
  intermediate_size: size.default(3072),
  hidden_act: z.enum(['gelu', 'relu']).default('gelu'),
  hidden_dropout_prob: probability.default(0.1),
  attention_probs_dropout_prob: probability.default(0.1),
  classifier_dropout: probability.nullish(),
  max_position_embeddings: size.default(512),
  type_vocab_size: size.default(2),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: z.number().positive().default(1e-12),
  position_embedding_type: z.literal('absolute').default('absolute'),
  is_decoder: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
});
export type BertConfig = z.infer<typeof bertConfig>;

export const bertPrefix = 'bert.';

/** The weights, named as in the state_dict. Pooler and classifier may be missing in a checkpoint. */
export function bertParameters(config: BertConfig, labels: number): ParameterSpec[] {
  const { hidden_size: hidden, intermediate_size: inner } = config;
  const norm = (name: string): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [hidden] },
    { name: `${name}.bias`, shape: [hidden] },
  ];
  const dense = (name: string, output: number, input: number): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [output, input] },
    { name: `${name}.bias`, shape: [output] },
  ];
  const layer = (index: number): ParameterSpec[] => {
    const name = `bert.encoder.layer.${index}`;
    return [
      ...dense(`${name}.attention.self.query`, hidden, hidden),
      ...dense(`${name}.attention.self.key`, hidden, hidden),
      ...dense(`${name}.attention.self.value`, hidden, hidden),
      ...dense(`${name}.attention.output.dense`, hidden, hidden),
      ...norm(`${name}.attention.output.LayerNorm`),
      ...dense(`${name}.intermediate.dense`, inner, hidden),
      ...dense(`${name}.output.dense`, hidden, inner),
      ...norm(`${name}.output.LayerNorm`),
    ];
  };
  const fresh = ([weight, bias]: ParameterSpec[]): ParameterSpec[] => [
    { ...(weight as ParameterSpec), initial: 'normal' },
    { ...(bias as ParameterSpec), initial: 'zeros' },
  ];
  return [
    { name: 'bert.embeddings.word_embeddings.weight', shape: [config.vocab_size, hidden] },
    { name: 'bert.embeddings.position_embeddings.weight', shape: [config.max_position_embeddings, hidden] },
    { name: 'bert.embeddings.token_type_embeddings.weight', shape: [config.type_vocab_size, hidden] },
    ...norm('bert.embeddings.LayerNorm'),
    ...Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)).flat(),
    ...fresh(dense('bert.pooler.dense', hidden, hidden)),
    ...fresh(dense('classifier', labels, hidden)),
  ];
}

export type BertOptions = {
  readonly config: BertConfig;
  /** The value of a weight by its name. */
  readonly weight: (name: string) => Tensor;
  /** Where dropout masks come from; without it nothing is dropped. */
  readonly random?: RandomSource | undefined;
  /** Layers are computed again for their gradients. */
  readonly gradientCheckpointing?: boolean;
};

/** Logits [batch, labels]. */
export function bertLogits(inputs: EncoderInputs, options: BertOptions): Tensor {
  const { config, weight } = options;
  const { graph } = inputs.inputIds;
  const mask = graph.scope('mask', () => additiveMask(inputs.attentionMask));
  let hidden = graph.scope('embeddings', () => embeddings(inputs, options));
  for (let index = 0; index < config.num_hidden_layers; index++) {
    // The head looks at the first token alone, so the last layer computes only that position.
    const last = index === config.num_hidden_layers - 1;
    hidden = graph.scope(`layer${index}`, () =>
      checkpointed(hidden, options, (input, inner) => encoderLayer(input, mask, index, last, inner)),
    );
  }
  return graph.scope('head', () => {
    const pooled = tanh(dense(hidden, 'bert.pooler.dense', weight)); // [batch, 1, hidden]
    const how = dropoutOf(options, config.classifier_dropout ?? config.hidden_dropout_prob);
    const first = reshape(pooled, ['batch', config.hidden_size]);
    return dense(dropout(first, how), 'classifier', weight);
  });
}

function embeddings(inputs: EncoderInputs, options: BertOptions): Tensor {
  const { config, weight } = options;
  const name = 'bert.embeddings';
  const words = gather(weight(`${name}.word_embeddings.weight`), inputs.inputIds);
  const types = gather(weight(`${name}.token_type_embeddings.weight`), inputs.tokenTypeIds);
  const table = weight(`${name}.position_embeddings.weight`);
  const positions = slice(table, [0, 0], ['length', config.hidden_size]);
  const normal = norm(add(add(words, types), positions), `${name}.LayerNorm`, options);
  return dropout(normal, dropoutOf(options, config.hidden_dropout_prob));
}

/** x [batch, length, hidden] -> the same shape, or [batch, 1, hidden] if only the first position is wanted. */
function encoderLayer(
  x: Tensor,
  mask: Tensor,
  index: number,
  firstOnly: boolean,
  options: BertOptions,
): Tensor {
  const { config, weight } = options;
  const name = `bert.encoder.layer.${index}`;
  const hiddenDropout = dropoutOf(options, config.hidden_dropout_prob);
  const wanted = firstOnly ? slice(x, [0, 0, 0], ['batch', 1, config.hidden_size]) : x;
  const [q, k, v] = heads(x, wanted, `${name}.attention.self`, options);
  const context = attention(q, k, v, mask, dropoutOf(options, config.attention_probs_dropout_prob));
  const joined = reshape(transpose(context, [0, 2, 1, 3]), wanted.shape);
  const attended = dropout(dense(joined, `${name}.attention.output.dense`, weight), hiddenDropout);
  const middle = norm(add(attended, wanted), `${name}.attention.output.LayerNorm`, options);
  const activation = config.hidden_act === 'gelu' ? gelu : relu;
  const inner = activation(dense(middle, `${name}.intermediate.dense`, weight));
  const outer = dropout(dense(inner, `${name}.output.dense`, weight), hiddenDropout);
  return norm(add(outer, middle), `${name}.output.LayerNorm`, options);
}

/**
 * Queries [batch, heads, queries, depth], keys and values [batch, heads, length, depth]. All that is computed from the
 * same positions is one matrix product; 1/sqrt(depth) goes into the small query weights instead of the scores.
 */
function heads(
  x: Tensor,
  wanted: Tensor,
  name: string,
  { config, weight }: BertOptions,
): readonly [Tensor, Tensor, Tensor] {
  const count = config.num_attention_heads;
  const depth = config.hidden_size / count;
  const scale = 1 / Math.sqrt(depth);
  const parts = (kind: 'weight' | 'bias') =>
    [
      mul(weight(`${name}.query.${kind}`), scale),
      weight(`${name}.key.${kind}`),
      weight(`${name}.value.${kind}`),
    ] as const;
  const [wq, wk, wv] = parts('weight');
  const [bq, bk, bv] = parts('bias');
  const split = (y: Tensor, kinds: number): readonly Tensor[] => {
    const shape = [...y.shape.slice(0, 2), kinds, count, depth];
    return unstack(transpose(reshape(y, shape), [2, 0, 3, 1, 4]));
  };
  if (wanted === x) {
    const all = linear(x, concat([wq, wk, wv], 0), concat([bq, bk, bv], 0));
    return split(all, 3) as unknown as readonly [Tensor, Tensor, Tensor];
  }
  const [q] = split(linear(wanted, wq, bq), 1);
  const [k, v] = split(linear(x, concat([wk, wv], 0), concat([bk, bv], 0)), 2);
  return [q as Tensor, k as Tensor, v as Tensor];
}

/** 0 for tokens and the lowest float32 for padding, [batch, 1, 1, length]. */
function additiveMask(attentionMask: Tensor): Tensor {
  const lowest = -3.4028234663852886e38;
  const padding = mul(sub(1, cast(attentionMask, 'float32')), lowest);
  return reshape(padding, ['batch', 1, 1, 'length']);
}

function dense(x: Tensor, name: string, weight: BertOptions['weight']): Tensor {
  return linear(x, weight(`${name}.weight`), weight(`${name}.bias`));
}

function norm(x: Tensor, name: string, { config, weight }: BertOptions): Tensor {
  return layerNorm(x, weight(`${name}.weight`), weight(`${name}.bias`), config.layer_norm_eps);
}

function dropoutOf({ random }: BertOptions, rate: number): Dropout {
  return random === undefined ? undefined : { source: random, rate };
}
