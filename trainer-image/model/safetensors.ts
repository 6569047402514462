/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, the raw tensors.
 * https://huggingface.co/docs/safetensors (format section).
 */
import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { TrainerError } from '../failure.ts';
import { type StoredType, storedTypes, toFloat32 } from './stored-types.ts';

export type TensorEntry = {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** Position of the first byte in the file, and of the byte after the last. */
  readonly begin: number;
  readonly end: number;
};

/** Bytes before the header, which hold its length. */
export const lengthBytes = 8;
/** The limit of the reference implementation. */
const maxHeaderBytes = 100_000_000;

const readAsync = promisify(read);
/**
 * Large blocks of glibc begin 16 bytes behind a page. TensorFlow copies a fed array that does not begin at a multiple of 64,
 * and takes others as they are.
 */
const toBorder = 48;

/** An open file. The header was checked; tensors are read one by one. */
export class SafetensorsFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly #file: number;

  /** Throws TrainerError ModelError, naming the file, when it is damaged or cut off. */
  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'r');
    try {
      this.entries = readHeader(path, this.#file);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** The tensor as float32 (from F32, F16 or BF16). Throws TrainerError for other types and unknown names. */
  read(name: string): Float32Array {
    const { bytes, begin } = this.#room(name);
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(this.#file, bytes, done, bytes.length - done, begin + done);
      if (count === 0) throw this.#cutOff(name);
      done += count;
    }
    return this.#values(name, bytes);
  }

  /** The same by a thread of its own. The file must stay open until it is done. */
  async readInBackground(name: string): Promise<Float32Array> {
    const { bytes, begin } = this.#room(name);
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await readAsync(this.#file, bytes, done, bytes.length - done, begin + done);
      if (bytesRead === 0) throw this.#cutOff(name);
      done += bytesRead;
    }
    return this.#values(name, bytes);
  }

  #entry(name: string): TensorEntry {
    const entry = this.entries.get(name);
    if (entry === undefined) throw new Error(`No tensor '${name}' in ${this.path}.`);
    return entry;
  }

  #room(name: string): { bytes: Uint8Array; begin: number } {
    const { begin, end } = this.#entry(name);
    return { bytes: new Uint8Array(new ArrayBuffer(end - begin + toBorder), toBorder), begin };
  }

  #cutOff(name: string): TrainerError {
    return damaged(this.path, `it ends inside tensor '${shorten(name)}'`);
  }

  #values(name: string, bytes: Uint8Array): Float32Array {
    const { dtype } = this.#entry(name);
    const values = toFloat32(bytes, dtype);
    if (values === undefined) {
      throw new TrainerError(
        'ModelError',
        `Tensor '${shorten(name)}' in ${this.path} has the type ${dtype}, which is not a weight type.`,
        'Use a checkpoint in F32, F16 or BF16, not a quantised one.',
      );
    }
    return values;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function readHeader(path: string, file: number): Map<string, TensorEntry> {
  const { size } = fstatSync(file);
  const first = new Uint8Array(lengthBytes);
  const header = new Uint8Array(headerBytes(path, first.subarray(0, readSync(file, first)), size));
  const count = readSync(file, header, 0, header.length, lengthBytes);
  if (count < header.length) throw damaged(path, 'it ends inside the header');
  return parseHeader(path, header, size);
}

/**
 * Length of the JSON header of a file of `fileSize` bytes, from the `first` 8 of them.
 * Throws TrainerError ModelError when the file is too short for what it claims.
 */
export function headerBytes(path: string, first: Uint8Array, fileSize: number): number {
  if (first.length < lengthBytes) throw damaged(path, `it has only ${fileSize} bytes`);
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > maxHeaderBytes || lengthBytes + Number(length) > fileSize) {
    throw damaged(path, `its header claims ${length} bytes and the file has ${fileSize}`);
  }
  return Number(length);
}

/**
 * The tensors that the header of a file of `fileSize` bytes declares. Throws TrainerError ModelError when the header is
 * not valid, or tensors overlap, leave gaps, or do not end with the file.
 */
export function parseHeader(path: string, header: Uint8Array, fileSize: number): Map<string, TensorEntry> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (cause) {
    throw damaged(path, 'its header is not JSON', cause);
  }
  if (!isRecord(json)) throw damaged(path, 'its header is not a JSON object');
  const dataStart = lengthBytes + header.length;
  const entries = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(json)) {
    if (name !== '__metadata__') entries.set(name, parseEntry(path, name, value, dataStart));
  }
  checkLayout(path, entries, dataStart, fileSize);
  return entries;
}

function parseEntry(path: string, name: string, value: unknown, dataStart: number): TensorEntry {
  const tensor = `tensor '${shorten(name)}'`;
  if (!isRecord(value)) throw damaged(path, `the entry of ${tensor} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw damaged(path, `the entry of ${tensor} lacks dtype, shape or data_offsets`);
  }
  const width = Object.hasOwn(storedTypes, dtype) ? storedTypes[dtype as StoredType] : undefined;
  if (width === undefined) throw damaged(path, `${tensor} has the unknown type '${shorten(dtype)}'`);
  const [from, to] = offsets as [number, number];
  const bytes = shape.reduce((product, size) => product * size, width);
  if (to - from !== bytes)
    throw damaged(path, `${tensor} takes ${to - from} bytes, its shape needs ${bytes}`);
  return { dtype: dtype as StoredType, shape, begin: dataStart + from, end: dataStart + to };
}

/** The tensors must follow each other without gap or overlap up to the end of the file. */
function checkLayout(
  path: string,
  entries: ReadonlyMap<string, TensorEntry>,
  dataStart: number,
  fileSize: number,
): void {
  let position = dataStart;
  const ordered = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [name, entry] of ordered) {
    if (entry.begin !== position) {
      const what = entry.begin < position ? 'overlaps the tensor before it' : 'follows a gap';
      throw damaged(path, `tensor '${shorten(name)}' ${what}`);
    }
    position = entry.end;
  }
  if (position !== fileSize) {
    const what = position > fileSize ? 'it is cut off' : 'it has bytes that belong to no tensor';
    throw damaged(path, `${what}: the tensors end at byte ${position}, the file at ${fileSize}`);
  }
}

function damaged(path: string, reason: string, cause?: unknown): TrainerError {
  return new TrainerError(
    'ModelError',
    `${path} is damaged: ${reason}.`,
    'Upload the file again, and compare its size and checksum with the original.',
    { cause },
  );
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
