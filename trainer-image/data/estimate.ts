import type { EncoderSizes } from '../model/model.ts';

const floatBytes = 4;
/** Node.js, TensorFlow's libraries and its buffers for matrix products. */
const processBytes = 770_000_000;
/** Copies of the weights on their way from and to files, beside those that are trained. */
const copiesOfWeights = 1;

/**
 * What is kept for the backward pass, in numbers of four bytes. Of each layer, per token: vectors of hidden size, the sums
 * before the activation (of a gated layer two vectors of intermediate size, which is taken for all), and per head one row
 * of attention weights and its mask of a quarter of a number. Of the logits themselves, the gradient that comes with the
 * loss, and its product; in bfloat16 also what the products gave and got. Weights: their copies in bfloat16.
 */
const kept = {
  float32: { hidden: 9, intermediate: 2, attention: 1.25, logits: 3, weights: 0 },
  bfloat16: { hidden: 6, intermediate: 1, attention: 0.75, logits: 4, weights: 0.5 },
};

/**
 * Estimated peak memory of a run on the CPU. `trainedNumbers`: weights, gradients and state of the optimiser. With gradient
 * checkpointing one layer is kept, and of the others only the input. The constants are fitted to measured runs of MiniLM at
 * 2 x 32 and 16 x 256 tokens and of BERT-base at 8 x 128 with AdamW, so that the estimate is above them: bench/memory.ts shows
 * both.
 */
export function trainingMemoryBytes(
  { hidden, layers, heads, intermediate }: EncoderSizes,
  { weights, trainedNumbers }: { weights: number; trainedNumbers: number },
  batch: { rows: number; length: number; logits: number; gradientCheckpointing: boolean; bf16: boolean },
): number {
  const of = kept[batch.bf16 ? 'bfloat16' : 'float32'];
  const perToken = of.hidden * hidden + of.intermediate * intermediate + of.attention * heads * batch.length;
  const layersKept = batch.gradientCheckpointing ? perToken + layers * hidden : layers * perToken;
  const activations = batch.rows * batch.length * layersKept + of.logits * batch.logits;
  const numbers = trainedNumbers + (copiesOfWeights + of.weights) * weights + activations;
  return Math.round(processBytes + floatBytes * numbers);
}
