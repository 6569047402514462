/** The parts of an architecture: an encoder, and a head for each task. */
import type { Tensor } from '../graph/graph.ts';
import type { Scope } from './layers.ts';
import type { EncoderInputs, ParameterSpec } from './parameters.ts';

/** What a model is trained for; Hugging Face's names, as in BertFor... */
export const tasks = ['SequenceClassification', 'TokenClassification', 'MaskedLM'] as const;
export type Task = (typeof tasks)[number];

/** The sizes on which the memory of a training step depends. */
export type EncoderSizes = {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
};

export type Head = {
  /** The class of Hugging Face Transformers that loads the saved model. */
  readonly className: string;
  readonly parameters: readonly ParameterSpec[];
  /** True if only the first position of each row is read: then the last layer computes no other. */
  readonly readsFirst?: boolean;
  /**
   * SequenceClassification: [batch, length or 1, hidden] -> [batch, labels]. TokenClassification: [batch, length, hidden]
   * -> [batch, length, labels]. MaskedLM: [positions, hidden] -> [positions, vocabulary].
   */
  logits(hidden: Tensor, scope: Scope, inputs: EncoderInputs): Tensor;
};

/** A model of one family, its config read. */
export type Model = {
  /** What keys have before the names of the bare model. */
  readonly prefix: string;
  /** The longest row that the model has positions for. */
  readonly maxLength: number;
  readonly vocabularySize: number;
  /** Below 2 the model does not read the token types. */
  readonly typeVocabularySize: number;
  readonly padTokenId: number | undefined;
  /** Standard deviation of newly initialised weights. */
  readonly initializerRange: number;
  readonly sizes: EncoderSizes;
  /** The encoder's weights. */
  readonly parameters: readonly ParameterSpec[];
  /** [batch, length, hidden], or [batch, 1, hidden] if only the first position is wanted. */
  hidden(inputs: EncoderInputs, scope: Scope, firstOnly: boolean): Tensor;
  readonly heads: Readonly<Record<Task, Head>>;
};

export type ModelOptions = {
  /** Classes of SequenceClassification and TokenClassification; MaskedLM has none. */
  readonly labels: number;
  /** Replaces every dropout rate of the config. */
  readonly dropout?: number | undefined;
};

/** config.json as it is in the model directory. */
export type RawConfig = Readonly<Record<string, unknown>>;
