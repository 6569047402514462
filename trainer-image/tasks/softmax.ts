/** What one list of logits says. */

/** Place of the largest logit, the first of equal ones. */
export function predictedClass(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits));
}

/** Softmax, the largest logit first subtracted so that nothing overflows. */
export function probabilities(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const exponentials = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/** -log softmax(logits)[label] */
export function negativeLogLikelihood(logits: Float32Array, label: number): number {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Math.log(sum) + largest - (logits[label] as number);
}
