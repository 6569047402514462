/**
 * ELECTRA, as the ElectraFor... classes of Hugging Face Transformers compute it: BERT's encoder, whose embeddings may be
 * narrower than its layers. MaskedLM is the generator.
 */
import * as z from 'zod';
import { gelu } from '../graph/neural.ts';
import { bertFields, bertRates, evenHeads, size, withDropout } from './config-fields.ts';
import { bertTables, embeddingParameters, embeddings } from './embeddings.ts';
import { firstTokenClassification, maskedLM, tokenClassification } from './heads.ts';
import { dense, drop, norm } from './layers.ts';
import type { Model, ModelOptions, RawConfig } from './model.ts';
import { denseParameters, normParameters } from './parameters.ts';
import { bertFacts, bertLayers, postNormEncoder, postNormParameters } from './post-norm.ts';

/** With the defaults of transformers' ElectraConfig. */
const electraConfig = z
  .looseObject({
    ...bertFields,
    embedding_size: size.default(128),
    hidden_size: size.default(256),
    num_attention_heads: size.default(4),
    intermediate_size: size.default(1024),
  })
  .superRefine(evenHeads('hidden_size', 'num_attention_heads'));
const project = 'electra.embeddings_project';

/** Throws ZodError for settings that are not supported. */
export function electra(raw: RawConfig, { labels, dropout }: ModelOptions): Model {
  const config = electraConfig.parse(withDropout(raw, dropout, bertRates));
  const { hidden_size: hidden, embedding_size: width, hidden_dropout_prob: hiddenDropout } = config;
  const headDropout = config.classifier_dropout ?? hiddenDropout;
  const layers = bertLayers(config, 'electra.');
  const tables = bertTables(config, 'electra.embeddings.', width);
  return {
    prefix: 'electra.',
    ...bertFacts(config),
    parameters: [
      ...embeddingParameters(tables),
      ...normParameters('electra.embeddings.LayerNorm', width),
      ...(width === hidden ? [] : denseParameters(project, hidden, width)),
      ...postNormParameters(layers),
    ],
    hidden(inputs, scope, wanted) {
      const sum = embeddings(inputs, tables, scope);
      const normal = norm(sum, 'electra.embeddings.LayerNorm', config.layer_norm_eps, scope);
      const embedded = drop(normal, hiddenDropout, scope);
      const wide = width === hidden ? embedded : dense(embedded, project, scope);
      return postNormEncoder(wide, inputs, wanted, layers, scope);
    },
    heads: {
      SequenceClassification: firstTokenClassification('ElectraForSequenceClassification', {
        name: 'classifier.dense',
        classifier: 'classifier.out_proj',
        activation: gelu,
        hidden,
        labels,
        dropout: { before: headDropout, after: headDropout },
      }),
      TokenClassification: tokenClassification('ElectraForTokenClassification', {
        hidden,
        labels,
        dropout: headDropout,
      }),
      MaskedLM: maskedLM('ElectraForMaskedLM', {
        dense: 'generator_predictions.dense',
        norm: 'generator_predictions.LayerNorm',
        bias: 'generator_lm_head.bias',
        words: 'electra.embeddings.word_embeddings.weight',
        hidden,
        embedding: width,
        vocabulary: config.vocab_size,
        activation: 'gelu',
        epsilon: config.layer_norm_eps,
      }),
    },
  };
}
