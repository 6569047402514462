/** From a model directory to the function that computes its logits. One entry for each supported `model_type`. */
import { join } from 'node:path';
import * as z from 'zod';
import { TrainerError } from '../failure.ts';
import type { Tensor } from '../graph/graph.ts';
import { widened } from '../graph/ops.ts';
import { bert } from './bert.ts';
import { readJson, readJsonAsWritten } from './checkpoint-files.ts';
import { debertaV2 } from './deberta-v2.ts';
import { distilbert } from './distilbert.ts';
import { electra } from './electra.ts';
import type { Scope, Wanted } from './layers.ts';
import type { Head, Model, ModelOptions, RawConfig, Task } from './model.ts';
import { modernbert } from './modernbert.ts';
import type { EncoderInputs, ParameterSpec } from './parameters.ts';
import { roberta, xlmRoberta } from './roberta.ts';

/** A model with the head of one task. */
export type Architecture = Pick<
  Model,
  | 'prefix'
  | 'maxLength'
  | 'vocabularySize'
  | 'typeVocabularySize'
  | 'padTokenId'
  | 'initializerRange'
  | 'sizes'
> & {
  /** model_type of config.json. */
  readonly modelType: string;
  /** The class of Hugging Face Transformers that loads the saved model. */
  readonly className: string;
  /** Of encoder and head. */
  readonly parameters: readonly ParameterSpec[];
  /**
   * SequenceClassification: [examples, labels]. For the `positions` of the inputs TokenClassification: [positions, labels],
   * MaskedLM: [positions, vocabulary]. Dropout only for training.
   */
  logits(inputs: EncoderInputs, weight: (name: string) => Tensor, training?: LogitsForTraining): Tensor;
};

/** Where dropout masks come from, and whether layers are computed again for their gradients. */
export type LogitsForTraining = Pick<Scope, 'random' | 'gradientCheckpointing'>;

export type ModelConfig = {
  /** config.json as it is in the model directory, to be written again: 2.0 stays 2.0. */
  readonly raw: RawConfig;
  readonly architecture: Architecture;
};

export type ArchitectureOptions = ModelOptions & {
  readonly task: Task;
  /** Rows will hold several examples. */
  readonly packed?: boolean;
};

const families: Readonly<Record<string, (raw: RawConfig, options: ModelOptions) => Model>> = {
  bert,
  roberta,
  'xlm-roberta': xlmRoberta,
  distilbert,
  electra,
  modernbert,
  'deberta-v2': debertaV2,
};

/**
 * Reads config.json. Throws TrainerError ModelError for unknown model types and settings that are not supported,
 * ConfigError for a head that cannot read packed rows.
 */
export function readArchitecture(directory: string, options: ArchitectureOptions): ModelConfig {
  const path = join(directory, 'config.json');
  const parsed = z.record(z.string(), z.unknown()).safeParse(readJson(path));
  if (!parsed.success)
    throw unsupported(`${path} is not a JSON object.`, 'Upload the whole model folder again.');
  const raw = parsed.data;
  const type = raw['model_type'];
  const family = typeof type === 'string' && Object.hasOwn(families, type) ? families[type] : undefined;
  if (typeof type !== 'string' || family === undefined) {
    throw unsupported(
      `The model type ${JSON.stringify(type) ?? '(none)'} is not supported.`,
      `Use a model of one of these types: ${Object.keys(families).join(', ')}.`,
    );
  }
  refuseSettings(raw, options.task);
  try {
    const model = family(raw, options);
    if (options.packed && model.heads[options.task].reads === 'all') throw unpackable(type, options.task);
    return {
      raw: readJsonAsWritten(path) as RawConfig,
      architecture: architecture(type, model, options.task),
    };
  } catch (error) {
    throw error instanceof z.ZodError ? invalid(error) : error;
  }
}

function architecture(modelType: string, model: Model, task: Task): Architecture {
  const { heads, hidden, parameters, ...properties } = model;
  const head = heads[task];
  return {
    ...properties,
    modelType,
    className: head.className,
    parameters: [...parameters, ...head.parameters],
    logits(inputs, weight, training) {
      const scope = { weight, ...training };
      const wanted = wantedBy(head, inputs);
      const states = hidden(inputs, scope, wanted);
      return states.graph.scope('head', () => widened(head.logits(states, scope, inputs)));
    },
  };
}

function wantedBy({ reads, className }: Head, { positions, packed }: EncoderInputs): Wanted {
  if (reads !== 'positions') return reads === 'first' && packed ? packed.starts : reads;
  if (positions === undefined) throw new Error(`${className} needs the positions whose logits are wanted.`);
  return positions;
}

function unpackable(modelType: string, task: Task): TrainerError {
  return new TrainerError(
    'ConfigError',
    `training.packing is BestFitDecreasing, but ${task} with this ${modelType} model takes the mean over whole rows (classifier_pooling).`,
    'Set training.packing to None.',
  );
}

/** Settings that no family has for itself. */
function refuseSettings(raw: RawConfig, task: Task): void {
  if (task === 'MaskedLM' && raw['tie_word_embeddings'] === false)
    throw unsupported('tie_word_embeddings is false: for MaskedLM only true is supported.');
  if (raw['quantization_config'] !== undefined && raw['quantization_config'] !== null)
    throw unsupported('config.json has a quantization_config: quantised models cannot be trained.');
}

function invalid(error: z.ZodError): TrainerError {
  const problems = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return unsupported(`config.json has settings that are not supported: ${problems.join('; ')}.`);
}

function unsupported(
  message: string,
  hint = 'Use a model without these settings, for example the one that this one was made from.',
): TrainerError {
  return new TrainerError('ModelError', message, hint);
}
