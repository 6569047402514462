import { type Binding, openBinding } from '../../../trainer-image/graph/binding.ts';
import type { HostArray } from '../../../trainer-image/graph/dtype.ts';
import type { Graph, Tensor } from '../../../trainer-image/graph/graph.ts';
import { bitcast, placeholder } from '../../../trainer-image/graph/ops.ts';
import type { Feed } from '../../../trainer-image/graph/session.ts';
import { tensorflowDirectory } from '../../../trainer-image/tensorflow/directory.ts';
import { tensorflowEnvironment } from '../../../trainer-image/threads.ts';

/** The real TensorFlow with the trainer's settings for two threads. */
export async function nativeBinding(): Promise<Binding> {
  Object.assign(process.env, { TF_CPP_MIN_LOG_LEVEL: '2', ...tensorflowEnvironment(process.env, 2) });
  return openBinding(await tensorflowDirectory());
}

/** A float64 input: the binding cannot feed that type, so its bytes travel as int64. */
export function doubleInput(
  graph: Graph,
  name: string,
  shape: readonly number[],
): { tensor: Tensor; feed: (values: readonly number[]) => Feed } {
  const raw = placeholder(graph, name, 'int64', shape);
  return {
    tensor: bitcast(raw, 'float64', shape),
    feed: (values) => ({ tensor: raw, data: new Int32Array(Float64Array.from(values).buffer), shape }),
  };
}

/** A float64 result as int64, which the binding can read, and back. */
export const asBits = (x: Tensor): Tensor => bitcast(x, 'int64', x.shape);
export const fromBits = (bits: HostArray | undefined): number[] => {
  const { buffer, byteOffset, byteLength } = bits as BigInt64Array;
  return [...new Float64Array(buffer as ArrayBuffer, byteOffset, byteLength / 8)];
};

/** Numbers between -1 and 1, the same on each run. */
export function numbers(count: number, salt = 0): number[] {
  return Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * (salt + 1)));
}
