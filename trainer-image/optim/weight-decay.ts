/** Names of the parameters that get no weight decay (Hugging Face: biases and normalisation layers). */
export function isDecayed(name: string): boolean {
  return !/bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/i.test(name);
}
