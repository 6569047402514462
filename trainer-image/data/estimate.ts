/** The sizes of an encoder on which its memory depends. */
export type EncoderSizes = {
  hiddenSize: number;
  layers: number;
  heads: number;
  intermediateSize: number;
};

const floatBytes = 4;
/** Weight, gradient and the two moments of AdamW. */
const floatsPerParameter = 4;
/** Node.js, TensorFlow's libraries and its buffers for matrix products. */
const processBytes = 700_000_000;

/**
 * Peak memory of a training step in float32.
 * Kept for the backward pass of each layer, per token: 12 vectors of hidden size (input, query, key, value, context, and
 * for both outputs the projection, its dropout mask, the sum and the normalised sum, of which some are shared), 3 of
 * intermediate size (before and after GELU, and the gradient under way), and per head one row of attention weights three
 * times (softmax, dropout mask, product). Real runs stay near it or below.
 */
export function trainingMemoryBytes(
  model: EncoderSizes & { parameters: number },
  batch: { rows: number; length: number },
): number {
  const { hiddenSize, layers, heads, intermediateSize, parameters } = model;
  const perToken = 12 * hiddenSize + 3 * intermediateSize + 3 * heads * batch.length;
  const activations = layers * batch.rows * batch.length * perToken;
  return processBytes + floatBytes * (floatsPerParameter * parameters + activations);
}
