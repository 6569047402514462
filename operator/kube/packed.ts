/** An object that hardly anybody will look at again, in a small part of its memory. */
import { deserialize, serialize } from 'node:v8';
import { deflateRawSync, inflateRawSync, type ZlibOptions } from 'node:zlib';

/**
 * By default each call would take a quarter of a megabyte for objects of a few kilobytes. Buffers are as large as what goes into
 * them: they lie outside the heap, so that many of them wait for a collection of garbage that their size does not hasten.
 */
const windowBits = 14;
const deflate = { level: 1, windowBits, memLevel: 5, chunkSize: 1024 };
const inflate = { windowBits };

/** What so much larger says more than the pattern so far becomes the pattern: an object grows as it gets older. */
const muchLarger = 1.25;

/** Packs plain data: objects, arrays, strings, numbers, Dates. */
export class Packer<T extends object> {
  /** One of them. What others have in common with it is not kept again for each: they are of one kind, so that is most. */
  #pattern: Buffer | undefined;

  pack(object: T): Packed<T> {
    const bytes = serialize(object);
    const packed = new Packed<T>(bytes, this.#pattern);
    if (isBetter(bytes, this.#pattern)) this.#pattern = bytes;
    return packed;
  }
}

function isBetter({ length }: Buffer, pattern: Buffer | undefined): boolean {
  return pattern === undefined || (length > muchLarger * pattern.length && length <= 2 ** windowBits);
}

export class Packed<T extends object> {
  /** A string, because V8 keeps one without slack, which it does not for thousands of small buffers. */
  readonly #text: string;
  /** Bytes of it unpacked. */
  readonly #length: number;
  readonly #dictionary: Buffer | undefined;

  constructor(bytes: Buffer, dictionary: Buffer | undefined) {
    this.#length = bytes.length;
    this.#text = deflateRawSync(bytes, withDictionary(deflate, dictionary)).toString('latin1');
    this.#dictionary = dictionary;
  }

  get bytes(): number {
    return this.#text.length;
  }

  unpacked(): T {
    // Node takes no smaller chunk.
    const chunkSize = Math.max(64, this.#length);
    const options = withDictionary({ ...inflate, chunkSize }, this.#dictionary);
    return deserialize(inflateRawSync(Buffer.from(this.#text, 'latin1'), options)) as T;
  }
}

function withDictionary(options: ZlibOptions, dictionary: Buffer | undefined): ZlibOptions {
  return dictionary === undefined ? options : { ...options, dictionary };
}
