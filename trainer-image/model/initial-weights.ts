/** Values of weights that a checkpoint lacks. */
import { random } from '../data/random.ts';
import type { ParameterSpec } from './parameters.ts';

/** Separates these numbers from others that come from the same seed. */
const purpose = 0x68656164;

/** Zeros, ones, or a normal distribution of the given standard deviation; the same for the same seed and name. */
export function initialWeight(
  { name, shape, initial }: ParameterSpec,
  seed: number,
  deviation: number,
): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = new Float32Array(count);
  if (initial !== 'normal') return values.fill(initial === 'ones' ? 1 : 0);
  const source = random(seed, purpose, ...Buffer.from(name));
  const uniform = (): number => (source.next() + 0.5) / 2 ** 32;
  for (let index = 0; index < count; index += 2) {
    // Box-Muller: two independent normal numbers from two uniform ones.
    const radius = deviation * Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    values[index] = radius * Math.cos(angle);
    if (index + 1 < count) values[index + 1] = radius * Math.sin(angle);
  }
  return values;
}
