import type { EncoderSizes } from '../model/model.ts';

const floatBytes = 4;
/** Node.js, TensorFlow's libraries and its buffers for matrix products. */
const processBytes = 700_000_000;

/**
 * Estimated peak memory of a training step in float32. `trainedNumbers`: weights, gradients and state of the optimiser.
 * Kept for the backward pass of each layer, per token: 12 vectors of hidden size (input, query, key, value, context, and
 * for both outputs the projection, its dropout mask, the sum and the normalised sum), 3 of intermediate size (before and
 * after GELU, and the gradient under way), and per head one row of attention weights three times (softmax, dropout mask,
 * product). Of the logits there are three: themselves, the gradient that comes with the loss, and its product.
 */
export function trainingMemoryBytes(
  { hidden, layers, heads, intermediate }: EncoderSizes,
  trainedNumbers: number,
  batch: { rows: number; length: number; logits: number },
): number {
  const perToken = 12 * hidden + 3 * intermediate + 3 * heads * batch.length;
  const activations = layers * batch.rows * batch.length * perToken;
  return processBytes + floatBytes * (trainedNumbers + activations + 3 * batch.logits);
}
