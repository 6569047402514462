/**
 * RoBERTa and XLM-R, as the RobertaFor... and XLMRobertaFor... classes of Hugging Face Transformers compute them: BERT's
 * encoder, with positions that are counted from the padding token's id.
 */
import * as z from 'zod';
import type { Tensor } from '../graph/graph.ts';
import { add, cast, mul, notEqual, tanh } from '../graph/ops.ts';
import { runningCount } from '../graph/positions.ts';
import { bertFields, bertRates, evenHeads, withDropout } from './config-fields.ts';
import { bertTables, embeddingParameters, embeddings } from './embeddings.ts';
import { firstTokenClassification, maskedLM, tokenClassification } from './heads.ts';
import { drop, norm } from './layers.ts';
import type { Model, ModelOptions, RawConfig } from './model.ts';
import { type EncoderInputs, normParameters } from './parameters.ts';
import { bertFacts, bertLayers, postNormEncoder, postNormParameters } from './post-norm.ts';

const robertaConfig = z
  .looseObject({ ...bertFields, pad_token_id: z.int().min(0).default(1) })
  .superRefine(evenHeads('hidden_size', 'num_attention_heads'))
  .refine((config) => config.pad_token_id + 1 < config.max_position_embeddings, {
    path: ['pad_token_id'],
    message: 'no position is left behind it',
  });
/** The one default in which the two differ. */
const robertaVocabulary = { vocab_size: 50_265 };

export function roberta(raw: RawConfig, options: ModelOptions): Model {
  return robertaModel('Roberta', { ...robertaVocabulary, ...raw }, options);
}

export function xlmRoberta(raw: RawConfig, options: ModelOptions): Model {
  return robertaModel('XLMRoberta', raw, options);
}

/** Throws ZodError for settings that are not supported. */
function robertaModel(name: string, raw: RawConfig, { labels, dropout }: ModelOptions): Model {
  const config = robertaConfig.parse(withDropout(raw, dropout, bertRates));
  const { hidden_size: hidden, layer_norm_eps: epsilon, hidden_dropout_prob: hiddenDropout } = config;
  const headDropout = config.classifier_dropout ?? hiddenDropout;
  const layers = bertLayers(config, 'roberta.');
  const tables = bertTables(config, 'roberta.embeddings.');
  return {
    prefix: 'roberta.',
    ...bertFacts(config),
    maxLength: config.max_position_embeddings - config.pad_token_id - 1,
    parameters: [
      ...embeddingParameters(tables),
      ...normParameters('roberta.embeddings.LayerNorm', hidden),
      ...postNormParameters(layers),
    ],
    hidden(inputs, scope, wanted) {
      const sum = embeddings(inputs, tables, scope, positionIds(inputs, config.pad_token_id));
      const embedded = drop(norm(sum, 'roberta.embeddings.LayerNorm', epsilon, scope), hiddenDropout, scope);
      return postNormEncoder(embedded, inputs, wanted, layers, scope);
    },
    heads: {
      SequenceClassification: firstTokenClassification(`${name}ForSequenceClassification`, {
        name: 'classifier.dense',
        classifier: 'classifier.out_proj',
        activation: tanh,
        hidden,
        labels,
        dropout: { before: headDropout, after: headDropout },
      }),
      TokenClassification: tokenClassification(`${name}ForTokenClassification`, {
        hidden,
        labels,
        dropout: headDropout,
      }),
      MaskedLM: maskedLM(`${name}ForMaskedLM`, {
        dense: 'lm_head.dense',
        norm: 'lm_head.layer_norm',
        bias: 'lm_head.bias',
        words: 'roberta.embeddings.word_embeddings.weight',
        hidden,
        vocabulary: config.vocab_size,
        activation: 'gelu',
        epsilon,
      }),
    },
  };
}

/** Tokens count from padding + 1 in each example; padding stays at its own id. int32 [batch, length]. */
function positionIds({ inputIds, packed }: EncoderInputs, padding: number): Tensor {
  const isToken = cast(notEqual(inputIds, padding), 'int32');
  const count = packed === undefined ? runningCount(isToken) : add(packed.positionIds, 1);
  return add(mul(count, isToken), padding);
}
