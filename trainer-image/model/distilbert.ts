/** DistilBERT, as the DistilBertFor... classes of Hugging Face Transformers compute it: BERT without token types. */
import * as z from 'zod';
import { relu } from '../graph/ops.ts';
import {
  activation,
  evenHeads,
  layerCount,
  probability,
  size,
  tokenId,
  withDropout,
} from './config-fields.ts';
import { embeddingParameters, embeddings } from './embeddings.ts';
import { firstTokenClassification, maskedLM, tokenClassification } from './heads.ts';
import { drop, norm } from './layers.ts';
import type { Model, ModelOptions, RawConfig } from './model.ts';
import { normParameters } from './parameters.ts';
import { type PostNormConfig, postNormEncoder, postNormParameters } from './post-norm.ts';

/** With the defaults of transformers' DistilBertConfig. */
const distilbertConfig = z
  .looseObject({
    vocab_size: size.default(30_522),
    dim: size.default(768),
    n_layers: layerCount.default(6),
    n_heads: size.default(12),
    hidden_dim: size.default(3072),
    activation: activation.default('gelu'),
    dropout: probability.default(0.1),
    attention_dropout: probability.default(0.1),
    seq_classif_dropout: probability.default(0.2),
    max_position_embeddings: size.default(512),
    initializer_range: z.number().min(0).default(0.02),
    pad_token_id: tokenId.default(0),
  })
  .superRefine(evenHeads('dim', 'n_heads'));
const rates = ['dropout', 'attention_dropout', 'seq_classif_dropout'] as const;
/** Not a setting of this family. */
const epsilon = 1e-12;

/** Throws ZodError for settings that are not supported. */
export function distilbert(raw: RawConfig, { labels, dropout }: ModelOptions): Model {
  const config = distilbertConfig.parse(withDropout(raw, dropout, rates));
  const { dim: hidden, vocab_size: vocabulary } = config;
  const layers = layersOf(config);
  const tables = {
    prefix: 'distilbert.embeddings.',
    width: hidden,
    words: vocabulary,
    types: 0,
    positions: config.max_position_embeddings,
  };
  return {
    prefix: 'distilbert.',
    maxLength: config.max_position_embeddings,
    vocabularySize: vocabulary,
    typeVocabularySize: 0,
    padTokenId: config.pad_token_id ?? undefined,
    initializerRange: config.initializer_range,
    sizes: layers.sizes,
    parameters: [
      ...embeddingParameters(tables),
      ...normParameters('distilbert.embeddings.LayerNorm', hidden),
      ...postNormParameters(layers),
    ],
    hidden(inputs, scope, wanted) {
      const normal = norm(
        embeddings(inputs, tables, scope),
        'distilbert.embeddings.LayerNorm',
        epsilon,
        scope,
      );
      const embedded = drop(normal, config.dropout, scope);
      return postNormEncoder(embedded, inputs, wanted, layers, scope);
    },
    heads: {
      SequenceClassification: firstTokenClassification('DistilBertForSequenceClassification', {
        name: 'pre_classifier',
        classifier: 'classifier',
        activation: relu,
        hidden,
        labels,
        dropout: { before: 0, after: config.seq_classif_dropout },
      }),
      TokenClassification: tokenClassification('DistilBertForTokenClassification', {
        hidden,
        labels,
        dropout: config.dropout,
      }),
      MaskedLM: maskedLM('DistilBertForMaskedLM', {
        dense: 'vocab_transform',
        norm: 'vocab_layer_norm',
        bias: 'vocab_projector.bias',
        words: 'distilbert.embeddings.word_embeddings.weight',
        hidden,
        vocabulary,
        activation: config.activation,
        epsilon,
      }),
    },
  };
}

function layersOf(config: z.infer<typeof distilbertConfig>): PostNormConfig {
  return {
    sizes: {
      hidden: config.dim,
      layers: config.n_layers,
      heads: config.n_heads,
      intermediate: config.hidden_dim,
    },
    names(index) {
      const layer = `distilbert.transformer.layer.${index}`;
      return {
        query: `${layer}.attention.q_lin`,
        key: `${layer}.attention.k_lin`,
        value: `${layer}.attention.v_lin`,
        attentionOutput: `${layer}.attention.out_lin`,
        attentionNorm: `${layer}.sa_layer_norm`,
        inner: `${layer}.ffn.lin1`,
        outer: `${layer}.ffn.lin2`,
        outputNorm: `${layer}.output_layer_norm`,
      };
    },
    activation: config.activation,
    epsilon,
    hiddenDropout: config.dropout,
    attentionDropout: config.attention_dropout,
  };
}
