/**
 * DeBERTa-v2 and -v3, as the DebertaV2For... classes of Hugging Face Transformers compute them: BERT's layers with
 * disentangled attention.
 */
import * as z from 'zod';
import { reshape } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { linear } from '../graph/neural.ts';
import { bertFields, evenHeads, layerCount, probability, size, withDropout } from './config-fields.ts';
import {
  type DistanceBuckets,
  disentangledAttention,
  distanceRows,
  spanOf,
} from './disentangled-attention.ts';
import { bertTables, embeddingParameters, embeddings } from './embeddings.ts';
import { firstTokenClassification, maskedLM, tokenClassification } from './heads.ts';
import {
  activations,
  drop,
  layerStack,
  norm,
  type Scope,
  sightMask,
  type Wanted,
  wantedOf,
} from './layers.ts';
import type { Model, ModelOptions, RawConfig } from './model.ts';
import { denseParameters, type EncoderInputs, normParameters, type ParameterSpec } from './parameters.ts';
import {
  afterAttention,
  bertFacts,
  bertLayers,
  bertOutputNames,
  type PostNormConfig,
  postNormParameters,
} from './post-norm.ts';

/** With the defaults of transformers' DebertaV2Config. */
const debertaConfig = z
  .looseObject({
    ...bertFields,
    vocab_size: size.default(128_100),
    hidden_size: size.default(1536),
    num_hidden_layers: layerCount.default(24),
    num_attention_heads: size.default(24),
    intermediate_size: size.default(6144),
    type_vocab_size: z.int().min(0).default(0),
    layer_norm_eps: z.number().positive().default(1e-7),
    relative_attention: z.literal(true),
    pos_att_type: z.custom(isBoth, 'only "p2c|c2p" is supported'),
    max_relative_positions: z.int().default(-1),
    position_buckets: z.int().default(-1),
    norm_rel_ebd: z.enum(['none', 'layer_norm']).default('none'),
    share_att_key: z.boolean().default(false),
    position_biased_input: z.boolean().default(true),
    conv_kernel_size: z.literal(0).default(0),
    embedding_size: size.optional(),
    pooler_dropout: probability.default(0),
    pooler_hidden_act: bertFields.hidden_act,
    cls_dropout: probability.nullish(),
    legacy: z.literal(true).default(true), // transformers saves the other MaskedLM head, and cannot load it
  })
  .superRefine(evenHeads('hidden_size', 'num_attention_heads'));
type Config = z.infer<typeof debertaConfig>;
const rates = [
  'hidden_dropout_prob',
  'attention_probs_dropout_prob',
  'pooler_dropout',
  'cls_dropout',
] as const;
const project = 'deberta.embeddings.embed_proj.weight';
const distanceTable = 'deberta.encoder.rel_embeddings.weight';
const distanceNorm = 'deberta.encoder.LayerNorm';

/** Throws ZodError for settings that are not supported. */
export function debertaV2(raw: RawConfig, { labels, dropout }: ModelOptions): Model {
  const config = debertaConfig.parse(withDropout(raw, dropout, rates));
  const { hidden_size: hidden, layer_norm_eps: epsilon, hidden_dropout_prob: hiddenDropout } = config;
  const width = config.embedding_size ?? hidden;
  const layers = layersOf(config);
  const tables = {
    ...bertTables(config, 'deberta.embeddings.', width),
    ...(!config.position_biased_input && { positions: 0 }),
  };
  return {
    prefix: 'deberta.',
    ...bertFacts(config),
    parameters: [
      ...embeddingParameters(tables),
      ...(width === hidden ? [] : [{ name: project, shape: [hidden, width] }]),
      ...normParameters('deberta.embeddings.LayerNorm', hidden),
      ...postNormParameters(layers),
      ...distanceParameters(config),
    ],
    hidden(inputs, scope, wanted) {
      const sum = embeddings(inputs, tables, scope);
      const wide = width === hidden ? sum : linear(sum, scope.weight(project));
      const normal = norm(wide, 'deberta.embeddings.LayerNorm', epsilon, scope);
      return encoder(drop(normal, hiddenDropout, scope), inputs, wanted, config, scope);
    },
    heads: {
      SequenceClassification: firstTokenClassification('DebertaV2ForSequenceClassification', {
        name: 'pooler.dense',
        classifier: 'classifier',
        activation: activations[config.pooler_hidden_act],
        hidden,
        labels,
        dropout: { before: config.pooler_dropout, after: config.cls_dropout ?? hiddenDropout },
      }),
      TokenClassification: tokenClassification('DebertaV2ForTokenClassification', {
        hidden,
        labels,
        dropout: hiddenDropout,
      }),
      MaskedLM: maskedLM('DebertaV2ForMaskedLM', {
        dense: 'cls.predictions.transform.dense',
        norm: 'cls.predictions.transform.LayerNorm',
        bias: 'cls.predictions.bias',
        words: 'deberta.embeddings.word_embeddings.weight',
        hidden,
        embedding: width,
        vocabulary: config.vocab_size,
        activation: config.hidden_act,
        epsilon,
      }),
    },
  };
}

function layersOf(config: Config): PostNormConfig {
  return {
    ...bertLayers(config, 'deberta.'),
    names(index) {
      const layer = `deberta.encoder.layer.${index}`;
      const projection = (kind: string) => `${layer}.attention.self.${kind}_proj`;
      return {
        query: projection('query'),
        key: projection('key'),
        value: projection('value'),
        ...bertOutputNames(layer),
      };
    },
  };
}

/** Names of the layers that make queries and keys of the distances: those of the content, or their own. */
function distanceNames(config: Config, index: number): { query: string; key: string } {
  const kind = config.share_att_key ? '' : 'pos_';
  const projection = (name: string) => `deberta.encoder.layer.${index}.attention.self.${kind}${name}_proj`;
  return { query: projection('query'), key: projection('key') };
}

function distanceParameters(config: Config): ParameterSpec[] {
  const { hidden_size: hidden, num_hidden_layers: count } = config;
  const own = Array.from({ length: config.share_att_key ? 0 : count }, (_, index) => {
    const { query, key } = distanceNames(config, index);
    return [...denseParameters(query, hidden, hidden), ...denseParameters(key, hidden, hidden)];
  });
  return [
    { name: distanceTable, shape: [2 * spanOf(bucketsOf(config)), hidden] },
    ...(config.norm_rel_ebd === 'layer_norm' ? normParameters(distanceNorm, hidden) : []),
    ...own.flat(),
  ];
}

/** All layers; the attention of the last one computes every position, whatever is wanted. */
function encoder(x: Tensor, inputs: EncoderInputs, wanted: Wanted, config: Config, scope: Scope): Tensor {
  const layers = layersOf(config);
  const shared = {
    mask: headsFirst(sightMask(inputs)),
    rows: x.graph.scope('distances', () => distanceRows(x.graph, bucketsOf(config))),
    heads: config.num_attention_heads,
    vectorDropout: config.hidden_dropout_prob,
    attentionDropout: config.attention_probs_dropout_prob,
  };
  const count = config.num_hidden_layers;
  return layerStack(x, { count, wanted }, scope, (input, { index, wanted: here }, inner) => {
    const names = layers.names(index);
    const given = {
      ...shared,
      names,
      distanceNames: distanceNames(config, index),
      vectors: distanceVectors(config, inner),
    };
    const context = disentangledAttention(input, given, inner);
    return afterAttention(wantedOf(context, here), wantedOf(input, here), names, layers, inner);
  });
}

/** [batch, 1, 1 or length, length] -> [1, batch, 1 or length, length]. */
function headsFirst(mask: Tensor): Tensor {
  const [batch = 1, heads = 1, ...places] = mask.shape;
  return reshape(mask, [heads, batch, ...places]);
}

function distanceVectors(config: Config, scope: Scope): Tensor {
  const table = scope.weight(distanceTable);
  return config.norm_rel_ebd === 'none' ? table : norm(table, distanceNorm, config.layer_norm_eps, scope);
}

function bucketsOf(config: Config): DistanceBuckets {
  const { max_relative_positions: limit, max_position_embeddings: longest } = config;
  return { buckets: config.position_buckets, limit: limit < 1 ? longest : limit, longest };
}

/** pos_att_type is a list, or a string with | between the names. */
function isBoth(value: unknown): boolean {
  const names = typeof value === 'string' ? value.toLowerCase().split('|') : value;
  return (
    Array.isArray(names) &&
    [...names]
      .map((name) => String(name).trim())
      .sort()
      .join() === 'c2p,p2c'
  );
}
