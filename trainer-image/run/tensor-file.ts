import { SafetensorsFile } from '../model/safetensors.ts';
import type { NamedTensor } from '../model/tensor.ts';

/** Gives the tensors of a safetensors file to `use`, each read from the disk when its data is asked for. */
export function withTensors<T>(path: string, use: (tensors: NamedTensor[]) => T): T {
  const file = new SafetensorsFile(path);
  try {
    return use(
      [...file.entries].map(([name, { shape }]) => ({
        name,
        shape,
        get data() {
          return file.read(name);
        },
      })),
    );
  } finally {
    file.close();
  }
}
