/** Fields that the config.json of several families share. */
import * as z from 'zod';
import type { RawConfig } from './model.ts';

export const size = z.int().min(1).max(1_000_000);
/** Each has parameters of its own, which are listed before any weight is looked for; the largest encoders have 48. */
export const layerCount = z.int().min(1).max(1000);
export const probability = z.number().min(0).lt(1);
export const activation = z.enum(['gelu', 'relu']);
export const positive = z.number().positive();
/** null: the model has no padding token. */
export const tokenId = z.int().min(0).nullable();

/** The fields with the names that BERT gave them, and the defaults of transformers' BertConfig. */
export const bertFields = {
  vocab_size: size.default(30_522),
  hidden_size: size.default(768),
  num_hidden_layers: layerCount.default(12),
  num_attention_heads: size.default(12),
  intermediate_size: size.default(3072),
  hidden_act: activation.default('gelu'),
  hidden_dropout_prob: probability.default(0.1),
  attention_probs_dropout_prob: probability.default(0.1),
  classifier_dropout: probability.nullish(),
  max_position_embeddings: size.default(512),
  type_vocab_size: size.default(2),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: positive.default(1e-12),
  pad_token_id: tokenId.default(0),
  position_embedding_type: z.literal('absolute').default('absolute'),
  is_decoder: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
};

const bertSchema = z.object(bertFields);
export type BertFields = z.infer<typeof bertSchema>;

/** Dropout rates among them. */
export const bertRates = [
  'hidden_dropout_prob',
  'attention_probs_dropout_prob',
  'classifier_dropout',
] as const;

/** The config with another value for each of the `rates`. */
export function withDropout(raw: RawConfig, rate: number | undefined, rates: readonly string[]): RawConfig {
  return rate === undefined ? raw : { ...raw, ...Object.fromEntries(rates.map((name) => [name, rate])) };
}

/** A check for z.superRefine: the heads share the width evenly. */
export function evenHeads(width: string, heads: string) {
  return (config: Record<string, unknown>, context: z.RefinementCtx): void => {
    if (Number(config[width]) % Number(config[heads]) === 0) return;
    const message = `${width} ${config[width]} is not a multiple of ${heads} ${config[heads]}`;
    context.addIssue({ code: 'custom', path: [heads], message });
  };
}
