/**
 * AdamW (Loshchilov and Hutter 2019) with clipping by the global norm, on plain arrays: independent of the trainer's own
 * optimiser, so that a curve of losses tests the gradients of an architecture alone.
 */
import type { Golden } from './fixtures.ts';

type Settings = Golden['settings'];

export class PlainAdamW {
  readonly #settings: Settings;
  readonly #first = new Map<string, Float64Array>();
  readonly #second = new Map<string, Float64Array>();
  #steps = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Changes the weights in place. Returns the norm of all gradients before they are clipped. */
  step(
    weights: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array>,
    learningRate: number,
  ): number {
    this.#steps++;
    let squares = 0;
    for (const gradient of gradients.values()) for (const value of gradient) squares += value * value;
    const norm = Math.sqrt(squares);
    const clip = Math.min(1, this.#settings.maxGradNorm / (norm + 1e-6));
    for (const [name, weight] of weights) {
      this.#update(name, weight, gradients.get(name) as Float32Array, { clip, learningRate });
    }
    return norm;
  }

  #update(
    name: string,
    weight: Float32Array,
    gradient: Float32Array,
    { clip, learningRate }: { clip: number; learningRate: number },
  ): void {
    const { beta1, beta2, epsilon, weightDecay } = this.#settings;
    const first = this.#moments(this.#first, name, weight.length);
    const second = this.#moments(this.#second, name, weight.length);
    const decay = /bias|norm/i.test(name) ? 1 : 1 - learningRate * weightDecay;
    for (const [i, value] of weight.entries()) {
      const g = (gradient[i] as number) * clip;
      const m = beta1 * (first[i] as number) + (1 - beta1) * g;
      const v = beta2 * (second[i] as number) + (1 - beta2) * g * g;
      first[i] = m;
      second[i] = v;
      const denominator = Math.sqrt(v / (1 - beta2 ** this.#steps)) + epsilon;
      weight[i] = value * decay - (learningRate * m) / (1 - beta1 ** this.#steps) / denominator;
    }
  }

  #moments(of: Map<string, Float64Array>, name: string, length: number): Float64Array {
    const found = of.get(name) ?? new Float64Array(length);
    of.set(name, found);
    return found;
  }
}
