/** Element types of safetensors files with their sizes in bytes, and how they become float32. */
export const storedTypes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I64: 8,
  U64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type StoredType = keyof typeof storedTypes;

/** Types of weights that can be read; quantised ones have others. */
export const weightTypes: ReadonlySet<StoredType> = new Set(['F32', 'F16', 'BF16']);

/** Values of F32, F16 or BF16 bytes; undefined for types that are not weights. */
export function toFloat32(bytes: Uint8Array, dtype: StoredType): Float32Array | undefined {
  const count = bytes.byteLength / storedTypes[dtype];
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes.buffer, bytes.byteOffset, count);
    case 'BF16':
      return fromBFloat16(new Uint16Array(bytes.buffer, bytes.byteOffset, count));
    case 'F16':
      return fromFloat16(new Uint16Array(bytes.buffer, bytes.byteOffset, count));
    default:
      return undefined;
  }
}

/** bfloat16 is the upper half of a float32. */
function fromBFloat16(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let index = 0; index < halves.length; index++) words[index] = (halves[index] as number) << 16;
  return new Float32Array(words.buffer);
}

function fromFloat16(halves: Uint16Array): Float32Array {
  const table = float16Table();
  const values = new Float32Array(halves.length);
  for (let index = 0; index < halves.length; index++)
    values[index] = table[halves[index] as number] as number;
  return values;
}

/** Value of each of the 65,536 IEEE 754 half-precision numbers. */
function float16Table(): Float32Array {
  const table = new Float32Array(65_536);
  for (let bits = 0; bits < table.length; bits++) {
    const sign = bits >= 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = (bits & 0x3ff) / 1024;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -14;
    else if (exponent === 31) table[bits] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else table[bits] = sign * (1 + fraction) * 2 ** (exponent - 15);
  }
  return table;
}
