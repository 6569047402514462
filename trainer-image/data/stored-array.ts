/**
 * Arrays of numbers on disk: written from front to back, then read in pieces, so that memory does not grow with them. No
 * file stays open between two calls, so there is nothing to close.
 */
import { appendFileSync, closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { localFailure } from '../sources/local-failure.ts';

export type Numbers = Uint8Array | Int32Array | Uint32Array | Float32Array | Float64Array;
export type NumberKind<T extends Numbers> = {
  new (length: number): T;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
};

/** What a writer keeps before it writes. */
const bufferBytes = 64 * 1024;
/** What is read at a time: some rows, so that reading one after the other costs few calls. */
const windowBytes = 16 * 1024;

export class ArrayWriter<T extends Numbers> {
  readonly #file: string;
  readonly #kind: NumberKind<T>;
  readonly #buffer: T;
  #buffered = 0;
  #length = 0;

  /** Makes the file, which must lie in a folder that exists; one that is there is emptied. */
  constructor(file: string, kind: NumberKind<T>) {
    this.#file = file;
    this.#kind = kind;
    this.#buffer = new kind(bufferBytes / kind.BYTES_PER_ELEMENT);
    this.#write(() => writeFileSync(file, ''));
  }

  get length(): number {
    return this.#length;
  }

  /** @throws TrainerError when the disk is full. */
  append(values: ArrayLike<number>): void {
    for (let start = 0; start < values.length; ) {
      const count = Math.min(values.length - start, this.#buffer.length - this.#buffered);
      for (let index = 0; index < count; index++)
        this.#buffer[this.#buffered + index] = values[start + index] as number;
      this.#buffered += count;
      start += count;
      if (this.#buffered === this.#buffer.length) this.#flush();
    }
    this.#length += values.length;
  }

  /** The array, whole on disk; nothing may be appended afterwards. */
  finish(): StoredArray<T> {
    this.#flush();
    return new StoredArray(this.#file, this.#kind, this.#length);
  }

  #flush(): void {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, this.#buffered * this.#kind.BYTES_PER_ELEMENT);
    this.#write(() => appendFileSync(this.#file, bytes));
    this.#buffered = 0;
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw localFailure(error, 'write', this.#file);
    }
  }
}

export class StoredArray<T extends Numbers> {
  readonly #file: string;
  readonly #kind: NumberKind<T>;
  readonly length: number;
  /** What was read last: `#count` numbers from `#start` on. */
  readonly #window: T;
  #start = 0;
  #count = 0;

  /** @param length numbers in the file. */
  constructor(file: string, kind: NumberKind<T>, length: number) {
    this.#file = file;
    this.#kind = kind;
    this.length = length;
    this.#window = new kind(Math.min(length, windowBytes / kind.BYTES_PER_ELEMENT));
  }

  /**
   * A copy of the numbers from `start` to `end`, all of them by default.
   * @throws TrainerError Internal when the file is not what was written.
   */
  slice(start = 0, end = this.length): T {
    const copy = new this.#kind(end - start);
    const window = this.#window;
    if (copy.length > window.length) {
      this.#read(copy, start);
      return copy;
    }
    if (start < this.#start || end > this.#start + this.#count) {
      const count = Math.min(window.length, this.length - start);
      this.#count = 0;
      this.#read(window.subarray(0, count) as T, start);
      this.#start = start;
      this.#count = count;
    }
    copy.set(window.subarray(start - this.#start, end - this.#start));
    return copy;
  }

  at(index: number): number {
    return this.slice(index, index + 1)[0] as number;
  }

  /** All numbers in order. */
  *[Symbol.iterator](): Generator<number> {
    for (const block of this.blocks()) yield* block;
  }

  /** All numbers in order, some at a time. */
  *blocks(): Generator<T> {
    const size = bufferBytes / this.#kind.BYTES_PER_ELEMENT;
    for (let start = 0; start < this.length; start += size)
      yield this.slice(start, Math.min(start + size, this.length));
  }

  #read(into: T, start: number): void {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    try {
      const file = openSync(this.#file, 'r');
      try {
        for (let done = 0; done < bytes.length; ) {
          const at = start * this.#kind.BYTES_PER_ELEMENT + done;
          const read = readSync(file, bytes, done, bytes.length - done, at);
          if (read === 0) throw Object.assign(new Error(), { code: 'it ends too early' });
          done += read;
        }
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw localFailure(error, 'read', this.#file);
    }
  }
}
