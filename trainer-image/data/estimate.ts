import { z } from 'zod';

const size = (value: number) => z.int().positive().catch(value);

/** The sizes of an encoder on which its memory depends, as config.json names them; defaults as in transformers' BERT. */
const encoderSizes = z.object({
  hidden_size: size(768),
  num_hidden_layers: size(12),
  num_attention_heads: size(12),
  intermediate_size: size(3072),
});

const floatBytes = 4;
/** Node.js, TensorFlow's libraries and its buffers for matrix products. */
const processBytes = 700_000_000;

/**
 * Estimated peak memory of a training step in float32. `trainedNumbers`: weights, gradients and state of the optimiser.
 * Kept for the backward pass of each layer, per token: 12 vectors of hidden size (input, query, key, value, context, and
 * for both outputs the projection, its dropout mask, the sum and the normalised sum), 3 of intermediate size (before and
 * after GELU, and the gradient under way), and per head one row of attention weights three times (softmax, dropout mask,
 * product). With gradient checkpointing that is one layer, and of the others only the input.
 */
export function trainingMemoryBytes(
  config: Readonly<Record<string, unknown>>,
  trainedNumbers: number,
  batch: { rows: number; length: number; gradientCheckpointing: boolean },
): number {
  const model = encoderSizes.parse(config);
  const perToken =
    12 * model.hidden_size + 3 * model.intermediate_size + 3 * model.num_attention_heads * batch.length;
  const layers = model.num_hidden_layers;
  const kept = batch.gradientCheckpointing ? perToken + layers * model.hidden_size : layers * perToken;
  const activations = batch.rows * batch.length * kept;
  return processBytes + floatBytes * (trainedNumbers + activations);
}
