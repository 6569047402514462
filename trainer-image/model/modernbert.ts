/**
 * ModernBERT, as the ModernBertFor... classes of Hugging Face Transformers compute it: layers that normalise first and
 * have no biases, rotary positions, attention that is local in most layers, and a gated feed-forward part.
 */
import * as z from 'zod';
import { gather, reshape, slice } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { attention, gatedGelu, gelu, layerNorm, linear, rotate } from '../graph/neural.ts';
import { add, cast, greaterEqual, minimum, mul } from '../graph/ops.ts';
import { distances, rotaryAngles } from '../graph/positions.ts';
import { evenHeads, layerCount, positive, probability, size, tokenId, withDropout } from './config-fields.ts';
import {
  dense,
  drop,
  dropoutOf,
  firstPosition,
  joinHeads,
  layerStack,
  lowest,
  meanOfTokens,
  type Scope,
  sightMask,
  splitHeads,
  type Wanted,
  wantedOf,
} from './layers.ts';
import type { Head, Model, ModelOptions, RawConfig, Task } from './model.ts';
import { denseParameters, type EncoderInputs, fresh, type ParameterSpec } from './parameters.ts';

const layerType = z.enum(['full_attention', 'sliding_attention']);
type LayerType = z.infer<typeof layerType>;
const rope = z.looseObject({
  rope_type: z.literal('default').default('default'),
  rope_theta: positive.optional(),
});

/** With the defaults of transformers' ModernBertConfig, and the older names of the fields for layers and rotation. */
const modernbertConfig = z
  .looseObject({
    vocab_size: size.default(50_368),
    hidden_size: size.default(768),
    intermediate_size: size.default(1152),
    num_hidden_layers: layerCount.default(22),
    num_attention_heads: size.default(12),
    hidden_activation: z.literal('gelu').default('gelu'),
    classifier_activation: z.literal('gelu').default('gelu'),
    max_position_embeddings: size.default(8192),
    initializer_range: z.number().min(0).default(0.02),
    norm_eps: positive.default(1e-5),
    norm_bias: z.literal(false).default(false),
    attention_bias: z.literal(false).default(false),
    mlp_bias: z.literal(false).default(false),
    classifier_bias: z.literal(false).default(false),
    decoder_bias: z.literal(true).default(true),
    pad_token_id: tokenId.default(50_283),
    layer_types: z.array(layerType).nullish(),
    global_attn_every_n_layers: size.default(3),
    local_attention: size.default(128),
    rope_parameters: z.partialRecord(layerType, rope.nullable()).nullish(),
    rope_scaling: z.null().optional(),
    global_rope_theta: positive.default(160_000),
    local_rope_theta: positive.default(10_000),
    embedding_dropout: probability.default(0),
    attention_dropout: probability.default(0),
    mlp_dropout: probability.default(0),
    classifier_dropout: probability.default(0),
    classifier_pooling: z.enum(['cls', 'mean']).default('cls'),
  })
  .superRefine(evenHeads('hidden_size', 'num_attention_heads'))
  .superRefine((config, context) => {
    const types = config.layer_types?.length ?? config.num_hidden_layers;
    if (types === config.num_hidden_layers) return;
    const message = `${types} types for num_hidden_layers ${config.num_hidden_layers}`;
    context.addIssue({ code: 'custom', path: ['layer_types'], message });
  });
type Config = z.infer<typeof modernbertConfig>;
const rates = ['embedding_dropout', 'attention_dropout', 'mlp_dropout', 'classifier_dropout'] as const;
const words = 'model.embeddings.tok_embeddings.weight';

/** Throws ZodError for settings that are not supported. */
export function modernbert(raw: RawConfig, { labels, dropout }: ModelOptions): Model {
  const config = modernbertConfig.parse(withDropout(raw, dropout, rates));
  return {
    prefix: 'model.',
    maxLength: config.max_position_embeddings,
    vocabularySize: config.vocab_size,
    typeVocabularySize: 0,
    padTokenId: config.pad_token_id ?? undefined,
    initializerRange: config.initializer_range,
    sizes: {
      hidden: config.hidden_size,
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      intermediate: 2 * config.intermediate_size, // with the gate
    },
    parameters: encoderParameters(config),
    hidden: (inputs, scope, wanted) => encoder(inputs, config, scope, wanted),
    heads: headsOf(config, labels),
  };
}

function encoderParameters(config: Config): ParameterSpec[] {
  const { hidden_size: hidden, intermediate_size: inner } = config;
  const layer = (index: number): ParameterSpec[] => {
    const name = `model.layers.${index}`;
    return [
      ...(index === 0 ? [] : [{ name: `${name}.attn_norm.weight`, shape: [hidden] }]),
      { name: `${name}.attn.Wqkv.weight`, shape: [3 * hidden, hidden] },
      { name: `${name}.attn.Wo.weight`, shape: [hidden, hidden] },
      { name: `${name}.mlp_norm.weight`, shape: [hidden] },
      { name: `${name}.mlp.Wi.weight`, shape: [2 * inner, hidden] },
      { name: `${name}.mlp.Wo.weight`, shape: [hidden, inner] },
    ];
  };
  return [
    { name: words, shape: [config.vocab_size, hidden] },
    { name: 'model.embeddings.norm.weight', shape: [hidden] },
    ...Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)).flat(),
    { name: 'model.final_norm.weight', shape: [hidden] },
  ];
}

/** What the layers of one type share: which places see which, and how far their points turn. */
type Sight = { readonly mask: Tensor; readonly cos: Tensor; readonly sin: Tensor };

function encoder(inputs: EncoderInputs, config: Config, scope: Scope, wanted: Wanted): Tensor {
  const { graph } = inputs.inputIds;
  const types = Array.from({ length: config.num_hidden_layers }, (_, index) => typeOf(config, index));
  const sights = new Map(
    [...new Set(types)].map((type) => [type, graph.scope(type, () => sightOf(type, inputs, config))]),
  );
  const embedded = norm(gather(scope.weight(words), inputs.inputIds), 'model.embeddings.norm', config, scope);
  const input = drop(embedded, config.embedding_dropout, scope);
  const last = layerStack(input, { count: types.length, wanted }, scope, (x, at, inner) =>
    layerOf(x, at, sights.get(types[at.index] as LayerType) as Sight, config, inner),
  );
  return norm(last, 'model.final_norm', config, scope);
}

function typeOf(config: Config, index: number): LayerType {
  const periodic = index % config.global_attn_every_n_layers === 0 ? 'full_attention' : 'sliding_attention';
  return config.layer_types?.[index] ?? periodic;
}

/** Angles count along the whole row: between two tokens only their distance matters. */
function sightOf(type: LayerType, inputs: EncoderInputs, config: Config): Sight {
  const { graph } = inputs.attentionMask;
  const seen = sightMask(inputs);
  const older = type === 'full_attention' ? config.global_rope_theta : config.local_rope_theta;
  const base = config.rope_parameters?.[type]?.rope_theta ?? older;
  const depth = config.hidden_size / config.num_attention_heads;
  const angles = rotaryAngles(graph, { size: 'length', depth, base });
  if (type === 'full_attention') return { mask: seen, ...angles };
  const reach = Math.floor(config.local_attention / 2);
  const far = mul(cast(greaterEqual(distances(graph, 'length'), reach + 1), 'float32'), lowest);
  return { mask: minimum(seen, reshape(far, [1, 1, 'length', 'length'])), ...angles };
}

/** x [batch, length, hidden] -> what is wanted of it. */
function layerOf(
  x: Tensor,
  { index, wanted }: { index: number; wanted: Wanted },
  sight: Sight,
  config: Config,
  scope: Scope,
): Tensor {
  const name = `model.layers.${index}`;
  const normal = index === 0 ? x : norm(x, `${name}.attn_norm`, config, scope);
  const how = dropoutOf(scope, config.attention_dropout);
  const projection = scope.weight(`${name}.attn.Wqkv.weight`);
  const [q, k, v, mask] = queriesAndKeys(normal, projection, wanted === 'first', sight, config);
  const context = joinHeads(attention(q, k, v, mask, how));
  const read = wanted === 'first' ? context : wantedOf(context, wanted);
  const attended = linear(read, scope.weight(`${name}.attn.Wo.weight`));
  const middle = add(wantedOf(x, wanted), drop(attended, config.attention_dropout, scope));
  const input = linear(
    norm(middle, `${name}.mlp_norm`, config, scope),
    scope.weight(`${name}.mlp.Wi.weight`),
  );
  const gated = drop(gatedGelu(input), config.mlp_dropout, scope);
  return add(middle, linear(gated, scope.weight(`${name}.mlp.Wo.weight`)));
}

/** Rotated queries (divided by sqrt(depth)) and keys, values, and the mask for these queries. */
function queriesAndKeys(
  x: Tensor,
  weight: Tensor,
  firstOnly: boolean,
  { mask, cos, sin }: Sight,
  config: Config,
): readonly [Tensor, Tensor, Tensor, Tensor] {
  const { hidden_size: hidden } = config;
  const depth = hidden / config.num_attention_heads;
  const scale = 1 / Math.sqrt(depth);
  if (!firstOnly) {
    const [q, k, v] = splitHeads(linear(x, weight), 3, depth) as [Tensor, Tensor, Tensor];
    return [rotate(q, mul(cos, scale), mul(sin, scale)), rotate(k, cos, sin), v, mask];
  }
  // The first place turns by the angle 0.
  const queries = linear(firstPosition(x), mul(slice(weight, [0, 0], [hidden, hidden]), scale));
  const [q] = splitHeads(queries, 1, depth) as [Tensor];
  const [k, v] = splitHeads(linear(x, slice(weight, [hidden, 0], [2 * hidden, hidden])), 2, depth) as [
    Tensor,
    Tensor,
  ];
  return [q, rotate(k, cos, sin), v, slice(mask, [0, 0, 0, 0], ['batch', 1, 1, 'length'])];
}

function headsOf(config: Config, labels: number): Record<Task, Head> {
  const { hidden_size: hidden, vocab_size: vocabulary, classifier_pooling: pooling } = config;
  const predictionHead = (x: Tensor, scope: Scope): Tensor =>
    norm(gelu(linear(x, scope.weight('head.dense.weight'))), 'head.norm', config, scope);
  const shared: ParameterSpec[] = [
    { name: 'head.dense.weight', shape: [hidden, hidden] },
    { name: 'head.norm.weight', shape: [hidden] },
  ];
  const classify = (x: Tensor, scope: Scope): Tensor =>
    dense(drop(predictionHead(x, scope), config.classifier_dropout, scope), 'classifier', scope);
  const classifier = fresh([...shared, ...denseParameters('classifier', labels, hidden)]);
  return {
    SequenceClassification: {
      className: 'ModernBertForSequenceClassification',
      parameters: classifier,
      reads: pooling === 'cls' ? 'first' : 'all',
      logits(states, scope, { attentionMask }) {
        const pooled = pooling === 'cls' ? states : meanOfTokens(states, attentionMask);
        return classify(reshape(pooled, ['examples', hidden]), scope);
      },
    },
    TokenClassification: {
      className: 'ModernBertForTokenClassification',
      parameters: classifier,
      reads: 'positions',
      logits: classify,
    },
    MaskedLM: {
      className: 'ModernBertForMaskedLM',
      parameters: fresh([...shared, { name: 'decoder.bias', shape: [vocabulary] }]),
      reads: 'positions',
      logits: (rows, scope) =>
        linear(predictionHead(rows, scope), scope.weight(words), scope.weight('decoder.bias')),
    },
  };
}

function norm(x: Tensor, name: string, { norm_eps }: Config, { weight }: Scope): Tensor {
  return layerNorm(x, weight(`${name}.weight`), undefined, norm_eps);
}
