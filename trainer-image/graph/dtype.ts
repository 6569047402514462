/** Element types that the graphs use, with TensorFlow's numbers for them (types.proto). */
export const dtypeNumbers = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  uint16: 17,
  float16: 19,
  resource: 20,
  uint32: 22,
  uint64: 23,
} as const;

export type DType = keyof typeof dtypeNumbers;

/** True for the types of weights and activations. */
export function isFloating(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'bfloat16' || dtype === 'float16';
}

/** What a session takes and gives back. int64 (BigInt64Array) can only be fetched, not fed. */
export type HostArray = Float32Array | Int32Array | Uint8Array | BigInt64Array;
