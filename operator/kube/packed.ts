/** An object that hardly anybody will look at again, in a small part of its memory. */
import { deserialize, serialize } from 'node:v8';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** By default each call would take a quarter of a megabyte for objects of a few kilobytes. */
const deflate = { level: 1, windowBits: 14, memLevel: 5, chunkSize: 4096 };
const inflate = { windowBits: 14, chunkSize: 8192 };

/** Plain data: objects, arrays, strings, numbers, Dates. */
export class Packed<T extends object> {
  /** A string, because V8 keeps one without slack, which it does not for thousands of small buffers. */
  readonly #text: string;

  constructor(object: T) {
    this.#text = deflateRawSync(serialize(object), deflate).toString('latin1');
  }

  get bytes(): number {
    return this.#text.length;
  }

  unpacked(): T {
    return deserialize(inflateRawSync(Buffer.from(this.#text, 'latin1'), inflate)) as T;
  }
}
