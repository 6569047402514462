/** Takes a list apart while it comes in, so that of a large one no more is in memory than one of its objects as text. */
import { maxObjectBytes } from './lines.ts';

const [quote, backslash, brace, bracket, braceEnd, bracketEnd] = [...'"\\{[}]'].map((letter) =>
  letter.charCodeAt(0),
);

/** How deep it stands in the braces and brackets of a list: within the list itself, within its items, within one of them. */
const [inList, inItems, inItem] = [1, 2, 3];

export class ListReader {
  readonly #take: (item: string) => void;
  /** The list without its items, as far as it came. */
  #frame = '';
  /** What came after that and after the last complete item. */
  #rest: Buffer = Buffer.alloc(0);
  /** Where in `rest` the next byte to look at stands, or will stand. */
  #at = 0;
  #depth = 0;
  #inString = false;
  #hasItems = false;

  /** @param take gets the JSON of each item, once it is complete */
  constructor(take: (item: string) => void) {
    this.#take = take;
  }

  /** @throws Error where an item is larger than any object can be, and what `take` throws */
  feed(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let [from, at, depth, inString] = [0, this.#at, this.#depth, this.#inString];
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (inString) {
        if (byte === backslash) at++;
        else if (byte === quote) inString = false;
      } else if (byte === quote) {
        inString = true;
      } else if (byte === brace || byte === bracket) {
        depth++;
        if (depth === inItems) this.#hasItems = /"items"\s*:\s*$/.test(bytes.toString('latin1', from, at));
        if (depth === inItem) from = this.#endFrame(bytes, from, at);
      } else if (byte === braceEnd || byte === bracketEnd) {
        depth--;
        if (depth === inList) this.#hasItems = false;
        if (depth !== inItems || !this.#hasItems) continue;
        this.#take(bytes.toString('utf8', from, at + 1));
        from = at + 1;
      }
    }
    this.#rest = bytes.subarray(from);
    [this.#at, this.#depth, this.#inString] = [at - from, depth, inString];
    if (this.#rest.length > maxObjectBytes) throw new Error(`an object of more than ${maxObjectBytes} bytes`);
  }

  /** The list without its items; call it after the last `feed`. What came is not complete where this is no JSON. */
  get frame(): string {
    return this.#frame + this.#rest.toString('utf8');
  }

  /** What stands before an item belongs to the frame, but for the comma after the item before. */
  #endFrame(bytes: Buffer, from: number, at: number): number {
    this.#frame += bytes.toString('utf8', from, at).replace(/^\s*,\s*/, '');
    return at;
  }
}
