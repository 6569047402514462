import { headerBytes, lengthBytes, parseHeader, type TensorEntry } from '../model/safetensors.ts';
import type { Source } from './source.ts';

/**
 * The tensors that a safetensors file declares, checked against the size of the file, without reading any tensor.
 * @throws TrainerError ModelError when the header is damaged or the file is cut off.
 */
export async function readSafetensorsHeader(source: Source, path: string): Promise<Map<string, TensorEntry>> {
  const { bytes: first, size } = await source.readRange(path, 0, lengthBytes);
  const { bytes } = await source.readRange(path, lengthBytes, headerBytes(path, first, size));
  return parseHeader(path, bytes, size);
}
