/**
 * TensorBoard event files. TensorFlow's own writer stamps "now" on every point, while a run may be written after a
 * resume; so the records (TFRecord with masked CRC-32C around an Event message) are made here, with their true times.
 */
import { bytes, double, float, integer, message, string } from '../protobuf.ts';

export type Scalar = { tag: string; step: number; value: number /** Unix time, ms. */; time: number };

/** The bytes of an event file with one event per scalar. */
export function eventFile(scalars: readonly Scalar[]): Uint8Array {
  const start = scalars[0]?.time ?? 0;
  const version = message(double(1, start / 1000), string(3, 'brain.Event:2'));
  const events = scalars.map(({ tag, step, value, time }) => {
    const point = message(string(1, tag), float(2, value));
    return message(double(1, time / 1000), integer(2, step), bytes(5, message(bytes(1, point))));
  });
  return Buffer.concat([version, ...events].map(record));
}

/** length (uint64), its checksum, data, its checksum; all little endian. */
function record(data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(16 + data.length);
  out.writeBigUInt64LE(BigInt(data.length), 0);
  out.writeUInt32LE(maskedCrc32c(out.subarray(0, 8)), 8);
  out.set(data, 12);
  out.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return out;
}

/** The checksum as TFRecord stores it: rotated and shifted, so that a checksum of checksums stays meaningful. */
export function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli), RFC 3720 appendix B.4. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
