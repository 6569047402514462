/** Takes a list apart while it comes in, so that of a large one no more is in memory than one of its objects as text. */
import { maxObjectBytes } from './lines.ts';

/** What a byte outside of a string is to the structure; all others are nothing to it. */
const [nothing, begins, opens, closes] = [0, 1, 2, 3];
const meanings = new Uint8Array(256);
for (const [letters, meaning] of Object.entries({ '"': begins, '{[': opens, '}]': closes }))
  for (const letter of letters) meanings[letter.charCodeAt(0)] = meaning;
const [quote, backslash] = [...'"\\'].map((letter) => letter.charCodeAt(0));

/** How deep it stands in the braces and brackets of a list: within the list itself, its items, one of them, a field of its metadata. */
const [inList, inItems, inItem, inMetadata] = [1, 2, 3, 5];

/** Nobody reads them, and they take as long to parse as the rest. No other array of this name stands as deep in any kind. */
const unread = '"managedFields":';

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
  /** Where what nobody reads of this item opens, from the start of the item. */
  #unreadFrom: number | undefined;

  /** @param take gets the JSON of each item, once it is complete */
  constructor(take: (item: string) => void) {
    this.#take = take;
  }

  /** @throws Error where an item is larger than any object can be, and what `take` throws */
  feed(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let [from, at, depth, inString] = [0, this.#at, this.#depth, this.#inString];
    for (; at < bytes.length; at++) {
      if (inString) {
        at = endOfString(bytes, at);
        if (at >= bytes.length) break;
        inString = false;
        continue;
      }
      const meaning = meanings[bytes[at]!]!;
      if (meaning === nothing) continue;
      if (meaning === begins) {
        inString = true;
      } else if (meaning === opens) {
        depth++;
        if (depth === inItems) this.#hasItems = /"items"\s*:\s*$/.test(bytes.toString('latin1', from, at));
        if (depth === inItem) from = this.#endFrame(bytes, from, at);
        if (depth === inMetadata && endsWith(bytes, at, unread)) this.#unreadFrom = at - from;
      } else {
        depth--;
        if (depth === inList) this.#hasItems = false;
        if (depth === inMetadata - 1) this.#blank(bytes, from, at);
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

  /** What nobody reads becomes an empty array: its closing bracket stands at `at`. */
  #blank(bytes: Buffer, from: number, at: number): void {
    if (this.#unreadFrom === undefined) return;
    bytes.fill(' ', from + this.#unreadFrom + 1, at);
    this.#unreadFrom = undefined;
  }
}

/** Where the quote stands that ends a string, or will stand: behind what came, where it did not come. */
function endOfString(bytes: Buffer, start: number): number {
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) return at;
    if (byte === backslash) at++;
  }
  return at;
}

function endsWith(bytes: Buffer, end: number, text: string): boolean {
  return end >= text.length && bytes.toString('latin1', end - text.length, end) === text;
}
