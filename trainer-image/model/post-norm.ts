/** The encoder layer of BERT and its kin: attention and feed-forward, each followed by residual and LayerNorm. */
import type { Tensor } from '../graph/graph.ts';
import { attention } from '../graph/neural.ts';
import { add } from '../graph/ops.ts';
import type { BertFields } from './config-fields.ts';
import {
  type Activation,
  type AttentionNames,
  attentionHeads,
  dense,
  drop,
  dropoutOf,
  feedForward,
  joinHeads,
  layerStack,
  norm,
  type Scope,
  sightMask,
  type Wanted,
  wantedOf,
} from './layers.ts';
import type { EncoderSizes, Model } from './model.ts';
import { denseParameters, type EncoderInputs, normParameters, type ParameterSpec } from './parameters.ts';

/** How a family calls the parts of a layer after the attention. */
export type OutputNames = {
  readonly attentionOutput: string;
  readonly attentionNorm: string;
  readonly inner: string;
  readonly outer: string;
  readonly outputNorm: string;
};

export type PostNormConfig = {
  readonly sizes: EncoderSizes;
  readonly names: (index: number) => AttentionNames & OutputNames;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
};

/** The layers of a config in BERT's words, with BERT's names after `prefix`. */
export function bertLayers(config: BertFields, prefix: string): PostNormConfig {
  return {
    sizes: bertSizes(config),
    names(index) {
      const layer = `${prefix}encoder.layer.${index}`;
      return {
        query: `${layer}.attention.self.query`,
        key: `${layer}.attention.self.key`,
        value: `${layer}.attention.self.value`,
        ...bertOutputNames(layer),
      };
    },
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    hiddenDropout: config.hidden_dropout_prob,
    attentionDropout: config.attention_probs_dropout_prob,
  };
}

/** What a config in BERT's words says of the model's inputs and new weights. */
export function bertFacts(config: BertFields) {
  return {
    maxLength: config.max_position_embeddings,
    vocabularySize: config.vocab_size,
    typeVocabularySize: config.type_vocab_size,
    padTokenId: config.pad_token_id ?? undefined,
    initializerRange: config.initializer_range,
    sizes: bertSizes(config),
  } satisfies Partial<Model>;
}

function bertSizes(config: BertFields): EncoderSizes {
  return {
    hidden: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    intermediate: config.intermediate_size,
  };
}

/** The names of what follows the attention. */
export function bertOutputNames(layer: string): OutputNames {
  return {
    attentionOutput: `${layer}.attention.output.dense`,
    attentionNorm: `${layer}.attention.output.LayerNorm`,
    inner: `${layer}.intermediate.dense`,
    outer: `${layer}.output.dense`,
    outputNorm: `${layer}.output.LayerNorm`,
  };
}

export function postNormParameters({ sizes, names }: PostNormConfig): ParameterSpec[] {
  const { hidden, intermediate } = sizes;
  return Array.from({ length: sizes.layers }, (_, index) => {
    const layer = names(index);
    return [
      ...denseParameters(layer.query, hidden, hidden),
      ...denseParameters(layer.key, hidden, hidden),
      ...denseParameters(layer.value, hidden, hidden),
      ...denseParameters(layer.attentionOutput, hidden, hidden),
      ...normParameters(layer.attentionNorm, hidden),
      ...denseParameters(layer.inner, intermediate, hidden),
      ...denseParameters(layer.outer, hidden, intermediate),
      ...normParameters(layer.outputNorm, hidden),
    ];
  }).flat();
}

/** All layers: x [batch, length, hidden] -> what is wanted of the last one. */
export function postNormEncoder(
  x: Tensor,
  inputs: EncoderInputs,
  wanted: Wanted,
  config: PostNormConfig,
  scope: Scope,
): Tensor {
  const { heads, hidden, layers } = config.sizes;
  const mask = x.graph.scope('mask', () => sightMask(inputs));
  const scale = 1 / Math.sqrt(hidden / heads);
  return layerStack(x, { count: layers, wanted }, scope, (input, at, inner) => {
    const names = config.names(at.index);
    const residual = wantedOf(input, at.wanted);
    const asking = at.wanted === 'first' ? residual : input;
    const [q, k, v] = attentionHeads(input, asking, names, { count: heads, scale, scope: inner });
    const context = joinHeads(attention(q, k, v, mask, dropoutOf(inner, config.attentionDropout)));
    const read = at.wanted === 'first' ? context : wantedOf(context, at.wanted);
    return afterAttention(read, residual, names, config, inner);
  });
}

/** The rest of a layer: `context` comes from the attention, `input` is what the layer was given at these positions. */
export function afterAttention(
  context: Tensor,
  input: Tensor,
  names: OutputNames,
  config: Pick<PostNormConfig, 'activation' | 'epsilon' | 'hiddenDropout'>,
  scope: Scope,
): Tensor {
  const { activation, epsilon, hiddenDropout } = config;
  const attended = drop(dense(context, names.attentionOutput, scope), hiddenDropout, scope);
  const middle = norm(add(attended, input), names.attentionNorm, epsilon, scope);
  const outer = drop(feedForward(middle, { ...names, activation }, scope), hiddenDropout, scope);
  return norm(add(outer, middle), names.outputNorm, epsilon, scope);
}
