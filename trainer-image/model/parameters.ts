/** What a model declares about its weights and its inputs. */
import type { Tensor } from '../graph/graph.ts';

export type ParameterSpec = {
  /** As in the state_dict of the Hugging Face class. */
  readonly name: string;
  readonly shape: readonly number[];
  /** How a weight that the checkpoint lacks begins; without it the checkpoint must have it. */
  readonly initial?: 'normal' | 'zeros' | 'ones';
};

/** int32 [batch, length] each. */
export type EncoderInputs = {
  readonly inputIds: Tensor;
  /** 0 for padding; packed, the number of a token's example in its row. */
  readonly attentionMask: Tensor;
  readonly tokenTypeIds: Tensor;
  /** Heads that read positions: int32 [positions], places in the flattened [batch * length] whose logits are wanted. */
  readonly positions?: Tensor;
  /** Where a row holds several examples, which do not see each other. */
  readonly packed?: PackedInputs | undefined;
};

export type PackedInputs = {
  /** int32 [batch, length] place of a token in its example. */
  readonly positionIds: Tensor;
  /** int32 [examples] places in the flattened [batch * length] of their first tokens. */
  readonly starts: Tensor;
};

/** Weight [output, input] and bias of a linear layer. */
export function denseParameters(name: string, output: number, input: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [output, input] },
    { name: `${name}.bias`, shape: [output] },
  ];
}

/** Weight and bias of a LayerNorm. */
export function normParameters(name: string, size: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [size] },
    { name: `${name}.bias`, shape: [size] },
  ];
}

/** The same parameters, which a checkpoint may lack: they begin as transformers initialises them. */
export function fresh(parameters: readonly ParameterSpec[]): ParameterSpec[] {
  return parameters.map((spec) => {
    if (spec.name.endsWith('.bias')) return { ...spec, initial: 'zeros' };
    return { ...spec, initial: spec.shape.length === 1 ? 'ones' : 'normal' };
  });
}
