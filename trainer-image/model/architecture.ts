/** From a model directory to the function that computes its logits. One entry for each supported `model_type`. */
import { join } from 'node:path';
import { z } from 'zod';
import { TrainerError } from '../failure.ts';
import type { Tensor } from '../graph/graph.ts';
import type { RandomSource } from '../graph/random.ts';
import { type BertConfig, bertConfig, bertLogits, bertParameters, bertPrefix } from './bert.ts';
import { readJson } from './checkpoint-files.ts';
import type { EncoderInputs, ParameterSpec } from './parameters.ts';

export type Architecture = {
  /** The class of Hugging Face Transformers that loads the saved model. */
  readonly className: string;
  /** What keys have before the names of the bare model. */
  readonly prefix: string;
  readonly parameters: readonly ParameterSpec[];
  readonly maxLength: number;
  readonly vocabularySize: number;
  readonly typeVocabularySize: number;
  /** Standard deviation of newly initialised weights. */
  readonly initializerRange: number;
  /** [batch, labels]; dropout only with `random`. */
  logits(inputs: EncoderInputs, weight: (name: string) => Tensor, training?: LogitsForTraining): Tensor;
};

export type LogitsForTraining = { readonly random: RandomSource; readonly gradientCheckpointing?: boolean };

export type ModelConfig = {
  /** config.json as it is in the model directory. */
  readonly raw: Readonly<Record<string, unknown>>;
  readonly architecture: Architecture;
};

export type ArchitectureOptions = {
  readonly labels: number;
  /** Replaces every dropout rate of the config. */
  readonly dropout?: number | undefined;
};

const families: Readonly<Record<string, (raw: unknown, options: ArchitectureOptions) => Architecture>> = {
  bert: bertArchitecture,
};

/** Reads config.json. Throws TrainerError ModelError for unknown model types and settings that are not supported. */
export function readArchitecture(directory: string, options: ArchitectureOptions): ModelConfig {
  const path = join(directory, 'config.json');
  const parsed = z.record(z.string(), z.unknown()).safeParse(readJson(path));
  if (!parsed.success) throw unsupported(`${path} is not a JSON object.`);
  const raw = parsed.data;
  const type = raw['model_type'];
  const family = typeof type === 'string' && Object.hasOwn(families, type) ? families[type] : undefined;
  if (family === undefined) {
    throw unsupported(`The model type ${JSON.stringify(type) ?? '(none)'} is not supported.`);
  }
  return { raw, architecture: family(raw, options) };
}

function bertArchitecture(raw: unknown, { labels, dropout }: ArchitectureOptions): Architecture {
  const parsed = bertConfig.safeParse(raw);
  if (!parsed.success) throw invalid(parsed.error);
  const config = dropout === undefined ? parsed.data : withDropout(parsed.data, dropout);
  if (config.hidden_size % config.num_attention_heads !== 0) {
    throw unsupported(
      `hidden_size ${config.hidden_size} is not a multiple of num_attention_heads ${config.num_attention_heads}.`,
    );
  }
  return {
    className: 'BertForSequenceClassification',
    prefix: bertPrefix,
    parameters: bertParameters(config, labels),
    maxLength: config.max_position_embeddings,
    vocabularySize: config.vocab_size,
    typeVocabularySize: config.type_vocab_size,
    initializerRange: config.initializer_range,
    logits: (inputs, weight, training) => bertLogits(inputs, { config, weight, ...training }),
  };
}

function withDropout(config: BertConfig, rate: number): BertConfig {
  return {
    ...config,
    hidden_dropout_prob: rate,
    attention_probs_dropout_prob: rate,
    classifier_dropout: rate,
  };
}

function invalid(error: z.ZodError): TrainerError {
  const problems = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return unsupported(`config.json has settings that are not supported: ${problems.join('; ')}.`);
}

function unsupported(message: string): TrainerError {
  return new TrainerError(
    'ModelError',
    message,
    `Use a model of one of these types: ${Object.keys(families).join(', ')}.`,
  );
}
