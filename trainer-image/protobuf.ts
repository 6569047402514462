/**
 * The wire format of Protocol Buffers, as far as TensorFlow's messages need it: https://protobuf.dev/programming-guides/encoding.
 * Each function gives the bytes of one field; a message is its fields one after the other.
 */
export const message = (...fields: readonly Uint8Array[]): Uint8Array => Buffer.concat(fields);

export function bytes(field: number, data: Uint8Array): Uint8Array {
  return message(varint(field * 8 + 2), varint(data.length), data);
}

export const string = (field: number, text: string): Uint8Array => bytes(field, Buffer.from(text));

/** A whole number, a boolean as 0 or 1, or the number of an enum. */
export const integer = (field: number, value: number): Uint8Array =>
  message(varint(field * 8), varint(value));

export function double(field: number, value: number): Uint8Array {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(value);
  return message(varint(field * 8 + 1), data);
}

export function float(field: number, value: number): Uint8Array {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return message(varint(field * 8 + 5), data);
}

/** Seven bits a byte, the lowest first; negative numbers as 64-bit two's complement. */
function varint(value: number): Uint8Array {
  if (value < 0) return bigVarint(BigInt.asUintN(64, BigInt(value)));
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  out.push(rest);
  return Buffer.from(out);
}

function bigVarint(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return Buffer.from(out);
}
