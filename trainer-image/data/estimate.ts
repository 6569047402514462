import type { EncoderSizes } from '../model/model.ts';

const floatBytes = 4;
/** Node.js, TensorFlow's libraries and its buffers for matrix products. */
const processBytes = 770_000_000;
/** Copies of the weights on their way from and to files, beside those that are trained. */
const copiesOfWeights = 1;

/**
 * Estimated peak memory of a run in float32 on the CPU. `trainedNumbers`: weights, gradients and state of the optimiser.
 * Kept for the backward pass of each layer, per token: 9 vectors of hidden size, the sums before the activation (of a gated
 * layer two vectors of intermediate size, which is taken for all), and per head one row of attention weights and its mask
 * of a quarter of that; with gradient checkpointing that is one layer, and of the others only the input. Of the logits
 * there are three: themselves, the gradient that comes with the loss, and its product. The constants are fitted to measured
 * runs of MiniLM at 2 x 32 and 16 x 256 tokens and of BERT-base at 8 x 128 with AdamW, and are above them by 9 to 18 %:
 * bench/memory.ts shows estimate and measurement.
 */
export function trainingMemoryBytes(
  { hidden, layers, heads, intermediate }: EncoderSizes,
  { weights, trainedNumbers }: { weights: number; trainedNumbers: number },
  batch: { rows: number; length: number; logits: number; gradientCheckpointing: boolean },
): number {
  const perToken = 9 * hidden + 2 * intermediate + 1.25 * heads * batch.length;
  const kept = batch.gradientCheckpointing ? perToken + layers * hidden : layers * perToken;
  const activations = batch.rows * batch.length * kept;
  const numbers = trainedNumbers + copiesOfWeights * weights + activations + 3 * batch.logits;
  return Math.round(processBytes + floatBytes * numbers);
}
