/** The parts of an architecture: an encoder, and a head for each task. */
import type { TaskName } from '../../crds/tasks.ts';
import type { Tensor } from '../graph/graph.ts';
import type { Scope, Wanted } from './layers.ts';
import type { EncoderInputs, ParameterSpec } from './parameters.ts';

export type Task = TaskName;

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
  /** Which positions it gets: all, the first one of each example, or those that the inputs name. */
  readonly reads: 'all' | 'first' | 'positions';
  /**
   * SequenceClassification: [batch, length or 1, hidden] or [examples, hidden] -> [examples, labels]. TokenClassification:
   * [positions, hidden] -> [positions, labels]. MaskedLM: [positions, hidden] -> [positions, vocabulary].
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
  /** [batch, length, hidden], [batch, 1, hidden] or [positions, hidden], as wanted. */
  hidden(inputs: EncoderInputs, scope: Scope, wanted: Wanted): Tensor;
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
