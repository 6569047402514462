import type { EncoderSizes } from '../model/model.ts';

const floatBytes = 4;
/** Node.js, TensorFlow's libraries and its buffers for matrix products. */
const processBytes = 770_000_000;
/** Copies of the weights on their way from and to files, beside those that are trained. */
const copiesOfWeights = 1.5;

/**
 * Estimated peak memory of a run in float32 on the CPU. `trainedNumbers`: weights, gradients and state of the optimiser.
 * Kept for the backward pass of each layer, per token: 8 vectors of hidden size, 2 of intermediate size (before and after
 * GELU), and per head one row of attention weights twice (softmax, after dropout); with gradient checkpointing that is one
 * layer, and of the others only the input. Of the logits there are three: themselves, the gradient that comes with the
 * loss, and its product. The constants are fitted to measured runs of MiniLM and BERT-base with AdamW, from 2 x 32 to
 * 16 x 256 tokens: bench/memory.ts shows estimate and measurement.
 */
export function trainingMemoryBytes(
  { hidden, layers, heads, intermediate }: EncoderSizes,
  { weights, trainedNumbers }: { weights: number; trainedNumbers: number },
  batch: { rows: number; length: number; logits: number; gradientCheckpointing: boolean },
): number {
  const perToken = 8 * hidden + 2 * intermediate + 2 * heads * batch.length;
  const kept = batch.gradientCheckpointing ? perToken + layers * hidden : layers * perToken;
  const activations = batch.rows * batch.length * kept;
  const numbers = trainedNumbers + copiesOfWeights * weights + activations + 3 * batch.logits;
  return Math.round(processBytes + floatBytes * numbers);
}
