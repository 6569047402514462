import type { Tensor } from '../graph/graph.ts';

/** What a model file declares about its weights. */
export type ParameterSpec = {
  /** As in the state_dict of the Hugging Face class. */
  readonly name: string;
  readonly shape: readonly number[];
  /** How a weight that the checkpoint lacks begins; without it the checkpoint must have it. */
  readonly initial?: 'normal' | 'zeros';
};

/** int32 [batch, length] each. */
export type EncoderInputs = {
  readonly inputIds: Tensor;
  readonly attentionMask: Tensor;
  readonly tokenTypeIds: Tensor;
};
