import { TrainerError } from '../failure.ts';
import type { Source } from './source.ts';

export type TensorEntry = { dtype: string; shape: number[]; start: number; end: number };

/** Bytes of one element of the types that weights come in. */
const elementBytes: Record<string, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};
const lengthFieldBytes = 8;
/** The limit of the reference implementation: larger headers are an attack or damage. */
const maxHeaderBytes = 100_000_000;

/**
 * Reads and checks the header of a safetensors file without its tensors.
 * @returns the tensors by name, offsets from the start of the file, and the size of the header with its length field.
 * @throws TrainerError ModelError when the header is damaged or the file is shorter or longer than it says.
 */
export async function readSafetensorsHeader(
  source: Source,
  path: string,
): Promise<{ tensors: Map<string, TensorEntry>; headerBytes: number }> {
  const first = await source.readRange(path, 0, lengthFieldBytes);
  if (first.bytes.length < lengthFieldBytes) throw damaged(path, `it has only ${first.size} bytes`);
  const length = Number(new DataView(first.bytes.buffer, first.bytes.byteOffset).getBigUint64(0, true));
  if (length > maxHeaderBytes || lengthFieldBytes + length > first.size)
    throw damaged(path, `its header claims ${length} bytes, the file has ${first.size}`);
  const { bytes } = await source.readRange(path, lengthFieldBytes, length);
  const headerBytes = lengthFieldBytes + length;
  const tensors = parse(path, bytes, headerBytes);
  const wanted = [...tensors.values()].reduce((end, tensor) => Math.max(end, tensor.end), headerBytes);
  if (wanted !== first.size) {
    const cut = wanted > first.size ? 'it is cut off' : 'it has bytes that no tensor uses';
    throw damaged(path, `${cut}: the tensors end at byte ${wanted}, the file has ${first.size}`);
  }
  return { tensors, headerBytes };
}

function parse(path: string, bytes: Uint8Array, headerBytes: number): Map<string, TensorEntry> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw damaged(path, 'its header is not JSON', error);
  }
  if (!isRecord(json)) throw damaged(path, 'its header is not a JSON object');
  const tensors = new Map<string, TensorEntry>();
  for (const [name, entry] of Object.entries(json))
    if (name !== '__metadata__') tensors.set(name, readEntry(path, name, entry, headerBytes));
  return tensors;
}

function readEntry(path: string, name: string, entry: unknown, headerBytes: number): TensorEntry {
  const label = JSON.stringify(name.slice(0, 100));
  if (!isRecord(entry)) throw damaged(path, `the entry of tensor ${label} is no object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2)
    throw damaged(path, `the entry of tensor ${label} lacks dtype, shape or data_offsets`);
  const element = elementBytes[dtype];
  if (element === undefined) {
    throw new TrainerError(
      'ModelError',
      `Tensor ${label} in ${path} has the type ${JSON.stringify(dtype.slice(0, 20))}, which cannot be trained.`,
      'Use the weights in F32, F16 or BF16, not a quantised version.',
    );
  }
  const [from, to] = offsets as [number, number];
  const bytes = shape.reduce((product, size) => product * size, element);
  if (to - from !== bytes)
    throw damaged(path, `tensor ${label} takes ${to - from} bytes, its shape needs ${bytes}`);
  return { dtype, shape, start: headerBytes + from, end: headerBytes + to };
}

function damaged(path: string, reason: string, cause?: unknown): TrainerError {
  return new TrainerError(
    'ModelError',
    `${path} is damaged: ${reason}.`,
    'Upload the file again, and compare its size and checksum with the original.',
    { cause },
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
