/** BERT, as the BertFor... classes of Hugging Face Transformers compute it. */
import { z } from 'zod';
import { gather, slice } from '../graph/array-ops.ts';
import type { Tensor } from '../graph/graph.ts';
import { add, tanh } from '../graph/ops.ts';
import { bertFields, bertRates, evenHeads, withDropout } from './config-fields.ts';
import { firstTokenClassification, maskedLM, tokenClassification } from './heads.ts';
import { addTokenTypes, drop, norm, type Scope } from './layers.ts';
import type { Model, ModelOptions, RawConfig } from './model.ts';
import { type EncoderInputs, normParameters } from './parameters.ts';
import { bertLayerNames, type PostNormConfig, postNormEncoder, postNormParameters } from './post-norm.ts';

/** The fields that change what is computed. */
const bertConfig = z.looseObject(bertFields).superRefine(evenHeads('hidden_size', 'num_attention_heads'));
type BertConfig = z.infer<typeof bertConfig>;

/** Throws ZodError for settings that are not supported. */
export function bert(raw: RawConfig, { labels, dropout }: ModelOptions): Model {
  const config = bertConfig.parse(withDropout(raw, dropout, bertRates));
  const hidden = config.hidden_size;
  const layers = layersOf(config);
  const headDropout = config.classifier_dropout ?? config.hidden_dropout_prob;
  return {
    prefix: 'bert.',
    maxLength: config.max_position_embeddings,
    vocabularySize: config.vocab_size,
    typeVocabularySize: config.type_vocab_size,
    padTokenId: config.pad_token_id ?? undefined,
    initializerRange: config.initializer_range,
    sizes: layers.sizes,
    parameters: [
      { name: 'bert.embeddings.word_embeddings.weight', shape: [config.vocab_size, hidden] },
      { name: 'bert.embeddings.position_embeddings.weight', shape: [config.max_position_embeddings, hidden] },
      { name: 'bert.embeddings.token_type_embeddings.weight', shape: [config.type_vocab_size, hidden] },
      ...normParameters('bert.embeddings.LayerNorm', hidden),
      ...postNormParameters(layers),
    ],
    hidden(inputs, scope, firstOnly) {
      const embedded = inputs.inputIds.graph.scope('embeddings', () => embeddings(inputs, config, scope));
      return postNormEncoder(embedded, inputs.attentionMask, firstOnly, layers, scope);
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
      MaskedLM: maskedLM(
        'BertForMaskedLM',
        {
          dense: 'cls.predictions.transform.dense',
          norm: 'cls.predictions.transform.LayerNorm',
          bias: 'cls.predictions.bias',
          words: 'bert.embeddings.word_embeddings.weight',
        },
        {
          hidden,
          vocabulary: config.vocab_size,
          activation: config.hidden_act,
          epsilon: config.layer_norm_eps,
        },
      ),
    },
  };
}

function layersOf(config: BertConfig): PostNormConfig {
  return {
    sizes: {
      hidden: config.hidden_size,
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      intermediate: config.intermediate_size,
    },
    names: bertLayerNames('bert.'),
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    hiddenDropout: config.hidden_dropout_prob,
    attentionDropout: config.attention_probs_dropout_prob,
  };
}

function embeddings(inputs: EncoderInputs, config: BertConfig, scope: Scope): Tensor {
  const table = (kind: string): Tensor => scope.weight(`bert.embeddings.${kind}_embeddings.weight`);
  const words = gather(table('word'), inputs.inputIds);
  const typed = addTokenTypes(words, table('token_type'), inputs);
  const positions = slice(table('position'), [0, 0], ['length', config.hidden_size]);
  const normal = norm(add(typed, positions), 'bert.embeddings.LayerNorm', config.layer_norm_eps, scope);
  return drop(normal, config.hidden_dropout_prob, scope);
}
