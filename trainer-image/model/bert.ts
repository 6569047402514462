/** BERT, as the BertFor... classes of Hugging Face Transformers compute it. */
import * as z from 'zod';
import { tanh } from '../graph/ops.ts';
import { bertFields, bertRates, evenHeads, withDropout } from './config-fields.ts';
import { bertTables, embeddingParameters, embeddings } from './embeddings.ts';
import { firstTokenClassification, maskedLM, tokenClassification } from './heads.ts';
import { drop, norm } from './layers.ts';
import type { Model, ModelOptions, RawConfig } from './model.ts';
import { normParameters } from './parameters.ts';
import { bertFacts, bertLayers, postNormEncoder, postNormParameters } from './post-norm.ts';

const bertConfig = z.looseObject(bertFields).superRefine(evenHeads('hidden_size', 'num_attention_heads'));

/** Throws ZodError for settings that are not supported. */
export function bert(raw: RawConfig, { labels, dropout }: ModelOptions): Model {
  const config = bertConfig.parse(withDropout(raw, dropout, bertRates));
  const { hidden_size: hidden, layer_norm_eps: epsilon, hidden_dropout_prob: hiddenDropout } = config;
  const headDropout = config.classifier_dropout ?? hiddenDropout;
  const layers = bertLayers(config, 'bert.');
  const tables = bertTables(config, 'bert.embeddings.');
  return {
    prefix: 'bert.',
    ...bertFacts(config),
    parameters: [
      ...embeddingParameters(tables),
      ...normParameters('bert.embeddings.LayerNorm', hidden),
      ...postNormParameters(layers),
    ],
    hidden(inputs, scope, wanted) {
      const sum = embeddings(inputs, tables, scope);
      const embedded = drop(norm(sum, 'bert.embeddings.LayerNorm', epsilon, scope), hiddenDropout, scope);
      return postNormEncoder(embedded, inputs, wanted, layers, scope);
    },
    heads: {
      SequenceClassification: firstTokenClassification('BertForSequenceClassification', {
        name: 'bert.pooler.dense',
        classifier: 'classifier',
        activation: tanh,
        hidden,
        labels,
        dropout: { before: 0, after: headDropout },
      }),
      TokenClassification: tokenClassification('BertForTokenClassification', {
        hidden,
        labels,
        dropout: headDropout,
      }),
      MaskedLM: maskedLM('BertForMaskedLM', {
        dense: 'cls.predictions.transform.dense',
        norm: 'cls.predictions.transform.LayerNorm',
        bias: 'cls.predictions.bias',
        words: 'bert.embeddings.word_embeddings.weight',
        hidden,
        vocabulary: config.vocab_size,
        activation: config.hidden_act,
        epsilon,
      }),
    },
  };
}
