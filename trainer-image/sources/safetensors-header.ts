import { TrainerError } from '../failure.ts';
import { parseHeader, type TensorEntry } from '../model/safetensors.ts';
import type { Source } from './source.ts';

const lengthFieldBytes = 8;
/** The limit of the reference implementation. */
const maxHeaderBytes = 100_000_000;

/**
 * The tensors that a safetensors file declares, checked against the size of the file, without reading any tensor.
 * @throws TrainerError ModelError when the header is damaged or the file is cut off.
 */
export async function readSafetensorsHeader(source: Source, path: string): Promise<Map<string, TensorEntry>> {
  const { bytes: first, size } = await source.readRange(path, 0, lengthFieldBytes);
  if (first.length < lengthFieldBytes) throw damaged(path, `it has only ${size} bytes`);
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > maxHeaderBytes || lengthFieldBytes + Number(length) > size)
    throw damaged(path, `its header claims ${length} bytes and the file has ${size}`);
  const { bytes } = await source.readRange(path, lengthFieldBytes, Number(length));
  return parseHeader(path, bytes, size);
}

function damaged(path: string, reason: string): TrainerError {
  return new TrainerError(
    'ModelError',
    `${path} is damaged: ${reason}.`,
    'Upload the file again, and compare its size and checksum with the original.',
  );
}
